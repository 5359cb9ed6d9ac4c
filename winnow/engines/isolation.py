"""Hearing in a process of its own, that may die: what kills it is halved until only the guilty utterance is left."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from winnow.engines.engine import Checkpoint, Request
from winnow.engines.inference import Result, transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.errors import DeviceLost
from winnow.hardware import is_device_fault
from winnow.parameters.engine import EngineOptions

R = TypeVar("R")

Transcribed = tuple[list[Result], dict[str, Any]]
"""An answer for each request, and what it took."""

SUMMED_FACTS = ("utterances", "audio_seconds", "padded_seconds", "model_seconds", "seconds")
MIN_REQUESTS = 4  # requests that can say that it is the device


class ChildDied(Exception):
    """A process died, or lost its device, at what it was given."""


def transcribe_here(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> Transcribed:
    return transcribe_requests(get_model(checkpoint, options), requests, options)


def transcribe_isolated(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> Transcribed:
    """The same from other processes; an utterance that kills them has the reason WORKER_KILLED."""
    found, spent = transcribe_by_halves(checkpoint, options, requests)
    if len(found) >= MIN_REQUESTS and all(one.reason == "WORKER_KILLED" for one in found):
        raise DeviceLost(f"every process died, whatever it heard: {found[0].detail}")
    return found, spent


def transcribe_by_halves(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> Transcribed:
    try:
        return run_in_child(transcribe_here, checkpoint, options, requests)
    except ChildDied as death:
        if len(requests) == 1:
            return [Result(reason="WORKER_KILLED", detail=str(death))], {}
    half = len(requests) // 2
    parts = [transcribe_by_halves(checkpoint, options, part) for part in (requests[:half], requests[half:])]
    return [one for found, _ in parts for one in found], merge_facts([spent for _, spent in parts])


def merge_facts(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the parts took."""
    sums: Counter[str] = Counter()
    for part in parts:
        sums.update({name: part[name] for name in SUMMED_FACTS if name in part})
    last: dict[str, Any] = next((part for part in reversed(parts) if part), {})
    peaks = [part["peak_device_bytes"] for part in parts if part.get("peak_device_bytes")]
    return last | dict(sums) | ({"peak_device_bytes": max(peaks)} if peaks else {})


def run_in_child(work: Callable[..., R], *given: Any) -> R:
    """What the work gives in a process of its own, which ends with this one."""
    with subprocess.Popen(
        [sys.executable, "-m", "winnow.engines.isolation"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        try:
            pickle.dump((work, *given), child.stdin)
            child.stdin.flush()
            outcome = pickle.load(child.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise ChildDied(f"the process that heard it died ({exit_cause(child.wait())})") from None
        finally:
            child.kill()
    if isinstance(outcome, Exception):
        if is_device_fault(outcome):
            raise ChildDied(f"the device failed at it: {outcome}")
        raise outcome
    found: R = outcome
    return found


def exit_cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def exit_with_parent(parent: BinaryIO) -> None:
    """End this process as soon as the one behind the pipe is gone."""
    parent.read()
    os._exit(1)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    work, *given = pickle.load(sys.stdin.buffer)
    threading.Thread(target=exit_with_parent, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        outcome: Any = work(*given)
    except Exception as error:
        outcome = error
    answers.write(pickle.dumps(outcome))
    answers.close()
    os._exit(0)


if __name__ == "__main__":
    main()

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

from tasks.checkpoints.checkpoint import Checkpoint
from tasks.devices.places import DeviceLost, is_fault
from tasks.engine.hearing import Heard, hear
from tasks.engine.recogniser import Request, resident
from tasks.parameters.options import Engine

R = TypeVar("R")

Listened = tuple[list[Heard], dict[str, Any]]
"""An answer for each request, and what it took."""

SUMS = ("utterances", "audio_seconds", "padded_seconds", "model_seconds", "seconds")
SEVERAL = 4  # requests that can say that it is the device


class Died(Exception):
    """A process died, or lost its device, at what it was given."""


def listen_here(checkpoint: Checkpoint, options: Engine, requests: list[Request]) -> Listened:
    return hear(resident(checkpoint, options), requests, options)


def listen_apart(checkpoint: Checkpoint, options: Engine, requests: list[Request]) -> Listened:
    """The same from other processes; an utterance that kills them has the reason WORKER_KILLED."""
    found, spent = halved(checkpoint, options, requests)
    if len(found) >= SEVERAL and all(one.reason == "WORKER_KILLED" for one in found):
        raise DeviceLost(f"every process died, whatever it heard: {found[0].detail}")
    return found, spent


def halved(checkpoint: Checkpoint, options: Engine, requests: list[Request]) -> Listened:
    try:
        return in_child(listen_here, checkpoint, options, requests)
    except Died as death:
        if len(requests) == 1:
            return [Heard(reason="WORKER_KILLED", detail=str(death))], {}
    half = len(requests) // 2
    parts = [halved(checkpoint, options, part) for part in (requests[:half], requests[half:])]
    return [one for found, _ in parts for one in found], together([spent for _, spent in parts])


def together(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the parts took."""
    sums: Counter[str] = Counter()
    for part in parts:
        sums.update({name: part[name] for name in SUMS if name in part})
    last: dict[str, Any] = next((part for part in reversed(parts) if part), {})
    peaks = [part["peak_device_bytes"] for part in parts if part.get("peak_device_bytes")]
    return last | dict(sums) | ({"peak_device_bytes": max(peaks)} if peaks else {})


def in_child(work: Callable[..., R], *given: Any) -> R:
    """What the work gives in a process of its own, which ends with this one."""
    with subprocess.Popen(
        [sys.executable, "-m", "tasks.engine.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        try:
            pickle.dump((work, *given), child.stdin)
            child.stdin.flush()
            outcome = pickle.load(child.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise Died(f"the process that heard it died ({cause(child.wait())})") from None
        finally:
            child.kill()
    if isinstance(outcome, Exception):
        if is_fault(outcome):
            raise Died(f"the device failed at it: {outcome}")
        raise outcome
    found: R = outcome
    return found


def cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def end_with(parent: BinaryIO) -> None:
    """End this process as soon as the one behind the pipe is gone."""
    parent.read()
    os._exit(1)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    work, *given = pickle.load(sys.stdin.buffer)
    threading.Thread(target=end_with, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        outcome: Any = work(*given)
    except Exception as error:
        outcome = error
    answers.write(pickle.dumps(outcome))
    answers.close()
    os._exit(0)


if __name__ == "__main__":
    main()

"""Transcription in a child process that may die: its requests are halved until only the fatal utterance is left."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.remote.fetch import VERSIONS
from winnow.engines.engine import Checkpoint, Request
from winnow.engines.inference import Result, transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.errors import DeviceLost
from winnow.hardware import is_device_fault
from winnow.parameters.engine import EngineOptions
from winnow.process_memory import limit_arenas

R = TypeVar("R")

Transcribed = tuple[list[Result], dict[str, Any]]
"""A result for each request, and the usage: time, audio and memory that they took."""

SUMMED_USAGE = ("utterances", "audio_seconds", "padded_seconds", "model_seconds", "seconds")
MIN_REQUESTS = 4  # requests that are enough to blame the device


class ChildDied(Exception):
    """A child process died, or lost its device, during its work."""


def transcribe_here(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> Transcribed:
    """Transcribe in this process."""
    return transcribe_requests(get_model(checkpoint, options), requests, options)


def transcribe_isolated(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> Transcribed:
    """Transcribe in child processes; an utterance that kills them gets the reason WORKER_KILLED.

    Raises DeviceLost if every utterance does.
    """
    results, usage = transcribe_by_halves(checkpoint, options, requests)
    if len(results) >= MIN_REQUESTS and all(result.reason == "WORKER_KILLED" for result in results):
        raise DeviceLost(f"every child process died, whatever it transcribed: {results[0].detail}")
    return results, usage


def transcribe_by_halves(checkpoint: Checkpoint, options: EngineOptions, requests: list[Request]) -> Transcribed:
    try:
        return run_in_child(transcribe_here, checkpoint, options, requests)
    except ChildDied as death:
        if len(requests) == 1:
            return [Result(reason="WORKER_KILLED", detail=str(death))], {}
    middle = len(requests) // 2
    halves = [transcribe_by_halves(checkpoint, options, half) for half in (requests[:middle], requests[middle:])]
    return [result for results, _ in halves for result in results], merge_usage([usage for _, usage in halves])


def merge_usage(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up the usage of several calls; peaks are the largest, and everything else is the last one's."""
    sums: Counter[str] = Counter()
    for part in parts:
        sums.update({name: part[name] for name in SUMMED_USAGE if name in part})
    last: dict[str, Any] = next((part for part in reversed(parts) if part), {})
    peaks = [part["peak_device_bytes"] for part in parts if part.get("peak_device_bytes")]
    return last | dict(sums) | ({"peak_device_bytes": max(peaks)} if peaks else {})


def run_in_child(function: Callable[..., R], *args: Any) -> R:
    """Return the function's result from a child process, which ends with this one.

    Raises what the function raises, or ChildDied. The child does not look for modules in the current folder (-P).
    """
    command = [sys.executable, "-P", "-m", "winnow.engines.isolation"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        try:
            pickle.dump((AUDIO_CACHE.limit, function, *args), child.stdin)
            child.stdin.flush()
            outcome = pickle.load(child.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise ChildDied(f"the process that transcribed it died ({exit_cause(child.wait())})") from None
        finally:
            child.kill()
    if isinstance(outcome, Exception):
        if is_device_fault(outcome):
            raise ChildDied(f"the device failed while transcribing it: {outcome}")
        raise outcome
    result: R = outcome
    return result


def exit_cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def exit_with_parent(pipe: BinaryIO) -> None:
    """End this process as soon as the parent's end of the pipe is closed."""
    pipe.read()
    os._exit(1)


def main() -> None:
    limit_arenas()
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is not a result
    AUDIO_CACHE.limit, function, *args = pickle.load(sys.stdin.buffer)
    threading.Thread(target=exit_with_parent, args=(sys.stdin.buffer,), daemon=True).start()
    try:
        outcome: Any = function(*args)
    except Exception as error:
        outcome = error
    VERSIONS.forget()  # the parent kills this process as soon as it has the outcome
    output.write(pickle.dumps(outcome))
    output.close()
    os._exit(0)


if __name__ == "__main__":
    main()

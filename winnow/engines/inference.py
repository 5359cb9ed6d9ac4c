"""Hearing: audio files in, readings out.

Utterances are sorted by length and put into batches before any of them is read; their audio is decoded in threads ahead
of the model, and the batches go through it in lanes. NeMo's own `transcribe()` does none of that: half of what it
computes is padding, it loses a whole call to one bad file, and leaves the model in training mode (dropout on) behind.
"""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from winnow.audio.decode import Clip, header_duration, load_clip
from winnow.audio.measurements import AudioStats, BadAudio
from winnow.engines.batching import BatchLimits
from winnow.engines.engine import Batch, MissingTranscript, Recogniser, Request
from winnow.errors import ModelBroken
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis

DECODE_THREADS = 4  # threads; soundfile and soxr work outside Python's lock
CALLS_AHEAD = 2  # calls of the model whose audio is decoded before a lane is free
BROKEN_SHARE = 0.99  # of the first utterances without finite scores: it is the model, not the audio
BROKEN_MIN_UTTERANCES = 4  # utterances that can say that it is the model


@dataclass(frozen=True)
class Result:
    """What became of a request: a reading, or the reason why there is none; and what was measured in its audio."""

    reading: Hypothesis | None = None
    stats: AudioStats | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass
class CallOutcome:
    """What the calls of the model gave: answers by the index of the request, and what they took."""

    answers: dict[int, Result] = field(default_factory=dict)
    padded_seconds: float = 0.0
    model_seconds: float = 0.0
    failures: list[Exception] = field(default_factory=list)
    proved: bool = False
    """Whether enough was heard to say that the model works."""

    def add(self, other: "CallOutcome") -> None:
        """Take in what another call gave; raises if it shows that the model is broken."""
        self.answers |= other.answers
        self.padded_seconds += other.padded_seconds
        self.model_seconds += other.model_seconds
        self.failures += other.failures
        if not self.proved:
            scored = [one.reason for one in self.answers.values() if one.reading or one.reason == "NONFINITE_SCORE"]
            if len(scored) >= BROKEN_MIN_UTTERANCES:
                self.proved = True
                if scored.count("NONFINITE_SCORE") >= BROKEN_SHARE * len(scored):
                    raise ModelBroken("the model's scores are not finite, whatever it hears: is the checkpoint whole?")


def transcribe_requests(
    recogniser: Recogniser, requests: list[Request], options: EngineOptions
) -> tuple[list[Result], dict[str, Any]]:
    """One answer for each request, in their order, and what it took.

    Seconds are wall-clock; `model_seconds` those that lanes spent in the model, `lanes` at once.
    """
    began = time.perf_counter()
    tally = CallOutcome()
    running: deque[Future[CallOutcome]] = deque()
    with (
        ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode") as decoders,
        ThreadPoolExecutor(recogniser.threads, thread_name_prefix="lane") as lanes,
    ):
        try:
            for group in plan_calls(requests, recogniser.batch_limits, recogniser.batches_per_call):
                clips = [decoders.submit(decode_request, requests[i], recogniser.sample_rate, options) for i in group]
                running.append(lanes.submit(run_call, recogniser, requests, group, clips))
                if len(running) > recogniser.threads + CALLS_AHEAD:
                    tally.add(running.popleft().result())
            while running:
                tally.add(running.popleft().result())
        except BaseException:
            for pool in (lanes, decoders):
                pool.shutdown(wait=False, cancel_futures=True)
            raise
    read = [heard for heard in tally.answers.values() if heard.reading is not None]
    if len(tally.failures) >= BROKEN_MIN_UTTERANCES and not read:
        first = tally.failures[0]
        raise ModelBroken(f"the model fails on whatever it is given: {first!r}") from first
    spent = {
        "utterances": len(read),
        "audio_seconds": sum(heard.stats.seconds for heard in read if heard.stats),
        "padded_seconds": tally.padded_seconds,
        "model_seconds": tally.model_seconds,
        "threads": recogniser.threads,
        "seconds": time.perf_counter() - began,
        "peak_device_bytes": recogniser.peak_device_bytes(),
    }
    return [tally.answers[index] for index in range(len(requests))], spent | recogniser.runtime


def plan_calls(requests: list[Request], budget: BatchLimits, together: int) -> Iterator[list[int]]:
    """The indices of requests of like length, longest first, as many as the model reads in a call."""
    lengths = [expected_seconds(request) for request in requests]
    order = sorted(range(len(requests)), key=lambda i: (-lengths[i], i))
    parts = list(fill_batches([(index, lengths[index]) for index in order], budget))
    for at in range(0, len(parts), together):
        yield [index for part in parts[at : at + together] for index in part]


def fill_batches(lengths: list[tuple[int, float]], budget: BatchLimits) -> Iterator[list[int]]:
    """The indices in batches that fit the budget; their lengths go down."""
    batch: list[int] = []
    longest = 0.0
    for index, seconds in lengths:
        if batch and not budget.fits(len(batch) + 1, longest):
            yield batch
            batch = []
        longest = seconds if not batch else longest
        batch.append(index)
    if batch:
        yield batch


def expected_seconds(request: Request) -> float:
    """The seconds that an utterance should have, by the manifest or the header of its file; 0 where neither says."""
    if request.duration is not None:
        return request.duration
    return header_duration(request.path, request.root) - (request.offset or 0.0)


def decode_request(request: Request, rate: int, options: EngineOptions) -> Clip | BadAudio:
    """The request's audio, or why there is none."""
    try:
        return load_clip(request.path, request.offset, request.duration, rate, options.max_seconds, request.root)
    except BadAudio as problem:
        return problem


def run_call(
    recogniser: Recogniser, requests: list[Request], group: list[int], audio: list[Future[Clip | BadAudio]]
) -> CallOutcome:
    """One call of the model for a group of requests; those without audio get their reason."""
    found = dict(zip(group, (future.result() for future in audio), strict=True))
    audio.clear()
    tally = CallOutcome()
    for index, problem in found.items():
        if isinstance(problem, BadAudio):
            tally.answers[index] = Result(stats=problem.stats, reason=problem.reason, detail=problem.detail)
    clips = {index: clip for index, clip in found.items() if isinstance(clip, Clip)}
    if not clips:
        return tally
    order = sorted(clips, key=lambda index: (-clips[index].seconds, index))
    parts = list(fill_batches([(index, clips[index].seconds) for index in order], recogniser.batch_limits))
    began = time.perf_counter()
    outcomes = transcribe_batches([[(requests[i], clips[i]) for i in part] for part in parts], recogniser)
    tally.model_seconds = time.perf_counter() - began
    tally.padded_seconds = sum(len(part) * clips[part[0]].seconds for part in parts)
    for index, outcome in zip((index for part in parts for index in part), outcomes, strict=True):
        tally.answers[index] = to_result(outcome, clips[index])
        if isinstance(outcome, Exception) and quarantine_reason(outcome) == "MODEL_ERROR":
            tally.failures.append(outcome)
    return tally


def to_result(outcome: Hypothesis | Exception, clip: Clip) -> Result:
    if isinstance(outcome, Hypothesis) and outcome.finite:
        return Result(outcome, clip.stats)
    if isinstance(outcome, Hypothesis):
        return Result(None, clip.stats, "NONFINITE_SCORE")
    return Result(None, clip.stats, quarantine_reason(outcome), str(outcome) or type(outcome).__name__)


class Misaligned(Exception):
    """A model gave more or fewer readings than it was given utterances."""


def transcribe_batches(parts: list[Batch], recogniser: Recogniser) -> list[Hypothesis | Exception]:
    """A reading for each clip; what fails is halved until only the clip that fails is left, with its error.

    A batch that does not fit into memory makes later ones smaller. What other clips would not mend is raised: a lost
    device.
    """
    try:
        readings = recogniser.transcribe(parts)
        if len(readings) != sum(map(len, parts)):
            raise Misaligned(f"{len(readings)} readings for {sum(map(len, parts))} utterances")
        return list(readings)
    except Exception as error:
        full = out_of_memory(error)
        if "CUDA error" in str(error) and not full:
            raise
        if len(parts) > 1:
            smaller = [[part] for part in parts]
            if full:
                recogniser.batches_per_call = max(1, recogniser.batches_per_call // 2)
        elif len(parts[0]) == 1:
            return [without_frames(error)]
        elif isinstance(error, Misaligned):
            smaller = [[[item]] for item in parts[0]]
        else:
            (batch,) = parts
            if full:
                recogniser.batch_limits.remember(len(batch), batch[0][1].seconds)
            half = len(batch) // 2
            smaller = [[batch[:half]], [batch[half:]]]
    return [outcome for some in smaller for outcome in transcribe_batches(some, recogniser)]


def without_frames(error: Exception) -> Exception:
    """The error without the frames it came through, which hold what was on the device."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def out_of_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(
        word in said for word in ("out of memory", "alloc_failed", "defaultcpuallocator")
    )


def quarantine_reason(error: Exception) -> str:
    """Why an utterance has no reading, from what the model raised when it was alone."""
    if isinstance(error, MissingTranscript):
        return "NO_READING"
    if isinstance(error, Misaligned):
        return "MODEL_MISALIGNED"
    return "OOM_SINGLE" if out_of_memory(error) else "MODEL_ERROR"

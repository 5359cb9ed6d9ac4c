"""Inference: audio files in, hypotheses out.

Utterances are sorted by length and batched before any audio is read. Their audio is decoded by threads ahead of the
model, and several threads (lanes) feed it. NeMo's own `transcribe()` does none of that: half of what it computes is
padding, one bad file fails a whole call, and it leaves the model in training mode, with dropout.

Audio of other machines is fetched by threads of its own in the same order, so that no decoder waits for a server. They
decode it too, since to hand it to another thread takes longer than to ask a server for a version; but not where it is
measured, which few threads may do at once.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

from winnow.audio.decode import Clip, header_duration, load_clip
from winnow.audio.identity import is_same_audio
from winnow.audio.measurements import AudioStats, BadAudio
from winnow.audio.places import parse_place
from winnow.audio.remote.fetch import VERSIONS, fetch
from winnow.audio.remote.pauses import GivenUp, end_pauses_at
from winnow.audio.remote.urls import is_url
from winnow.engines.batching import BatchLimits
from winnow.engines.call_progress import tell_listeners
from winnow.engines.engine import Recogniser, Request
from winnow.engines.failed_calls import quarantine_reason, transcribe_batches
from winnow.engines.listening import listen_to
from winnow.errors import ModelBroken
from winnow.hardware import cores
from winnow.parameters.engine import EngineOptions
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis
from winnow.text.normalize import count_words

DECODE_THREADS = 4  # soundfile and soxr release Python's lock
FETCH_THREADS = 16  # they wait for servers
CALLS_AHEAD = 2  # model calls whose audio is fetched and decoded before a lane is free
UNAVAILABLE = {"AUDIO_MISSING", "AUDIO_IO", "PATH_OUTSIDE_ROOT"}  # says nothing about the audio itself
BROKEN_SHARE = 0.99  # of the first utterances without finite scores: the model is at fault, not the audio
BROKEN_MIN_UTTERANCES = 4  # utterances that are enough to blame the model


@dataclass(frozen=True)
class Result:
    """The hypothesis of a request, or the reason why it has none; what was measured in its audio, and its identity.

    `mended`, `found` and `heard` are those of its clip.
    """

    hypothesis: Hypothesis | None = None
    stats: AudioStats | None = None
    reason: str | None = None
    detail: str | None = None
    identity: str | None = None
    mended: tuple[str, ...] = ()
    found: str | None = None
    heard: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class CallResults:
    """The results of model calls, by the index of the request; the time that they took, and errors of the model.

    `proven` is set once enough utterances were transcribed to tell that the model works.
    """

    results: dict[int, Result] = field(default_factory=dict)
    padded_seconds: float = 0.0
    model_seconds: float = 0.0
    failures: list[Exception] = field(default_factory=list)
    proven: bool = False

    def add(self, other: "CallResults") -> None:
        """Add the results of another call; raises ModelBroken if nearly all scores so far are not finite."""
        self.results |= other.results
        self.padded_seconds += other.padded_seconds
        self.model_seconds += other.model_seconds
        self.failures += other.failures
        if self.proven:
            return
        finite = sum(result.hypothesis is not None for result in self.results.values())
        nonfinite = sum(result.reason == "NONFINITE_SCORE" for result in self.results.values())
        if finite + nonfinite >= BROKEN_MIN_UTTERANCES:
            self.proven = True
            if nonfinite >= BROKEN_SHARE * (finite + nonfinite):
                raise ModelBroken("the model's scores are not finite for any utterance: is the checkpoint damaged?")


def transcribe_requests(
    recogniser: Recogniser, requests: list[Request], options: EngineOptions
) -> tuple[list[Result], dict[str, Any]]:
    """Transcribe; return a result for each request, in order, and the usage.

    Of the usage, `seconds` is wall-clock time; `model_seconds` is the time that lanes spent in the model, `threads` of
    them at once. Raises ModelBroken if the model fails on every utterance.
    """
    began = time.perf_counter()
    total = CallResults()
    running: deque[tuple[float, Future[CallResults]]] = deque()
    given_up, errors = Event(), list[BaseException]()
    VERSIONS.forget()
    with (
        ThreadPoolExecutor(decode_threads(requests), "decode") as decoders,
        ThreadPoolExecutor(FETCH_THREADS, "fetch", end_pauses_at, (given_up,)) as fetchers,
        ThreadPoolExecutor(recogniser.threads, "lane", end_pauses_at, (given_up,)) as lanes,
    ):

        def load(request: Request) -> Future[Clip | BadAudio]:
            def decode() -> Future[Clip | BadAudio]:
                return decoders.submit(decode_request, request, recogniser.sample_rate, options)

            if not is_remote(request):
                return decode()
            if request.measures:
                return fetchers.submit(fetch_and_decode, request, decode)
            return fetchers.submit(decode_request, request, recogniser.sample_rate, options)

        def call(group: list[int], audio: list[Future[Clip | BadAudio]]) -> CallResults:
            try:
                return run_call(recogniser, requests, group, audio)
            except BaseException as error:
                errors.append(error)
                given_up.set()  # calls before this one, whose results are awaited first, may be in a long pause
                raise

        try:
            lengths = expected_lengths(requests, fetchers)
            for group in plan_calls(lengths, recogniser.batch_limits, recogniser.batches_per_call):
                audio = [load(requests[i]) for i in group]
                running.append((sum(lengths[i] for i in group), lanes.submit(call, group, audio)))
                if len(running) > recogniser.threads + CALLS_AHEAD:
                    add_next(running, total)
            while running:
                add_next(running, total)
        except BaseException as error:
            given_up.set()
            for pool in (lanes, fetchers, decoders):
                pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, GivenUp):
                raise errors[0] from None
            raise
    transcribed = [result for result in total.results.values() if result.hypothesis is not None]
    if len(total.failures) >= BROKEN_MIN_UTTERANCES and not transcribed:
        first = total.failures[0]
        raise ModelBroken(f"the model fails on every utterance: {first!r}") from first
    usage = usage_of(recogniser, total, transcribed) | {"seconds": time.perf_counter() - began}
    return [total.results[index] for index in range(len(requests))], usage


def add_next(running: deque[tuple[float, Future[CallResults]]], total: CallResults) -> None:
    """Wait for the first of the running calls, add its results, and tell whoever shows the progress."""
    seconds, call = running.popleft()
    total.add(call.result())
    if seconds:
        tell_listeners(seconds)


def usage_of(recogniser: Recogniser, total: CallResults, transcribed: list[Result]) -> dict[str, Any]:
    """Return the audio, the model's time and the memory that all calls took, and where the model runs."""
    return {
        "utterances": len(transcribed),
        "audio_seconds": sum(result.stats.seconds for result in transcribed if result.stats),
        "padded_seconds": total.padded_seconds,
        "model_seconds": total.model_seconds,
        "threads": recogniser.threads,
        "peak_device_bytes": recogniser.peak_device_bytes(),
        **recogniser.runtime,
    }


def decode_threads(requests: list[Request]) -> int:
    """Return how many threads decode: a thread for each core where they also measure, which takes far longer."""
    return max(DECODE_THREADS, cores()) if any(request.measures for request in requests) else DECODE_THREADS


def plan_calls(lengths: list[float], limits: BatchLimits, batches_per_call: int) -> Iterator[list[int]]:
    """Yield the indices of the requests of each model call: of similar length [s], longest first."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batches = list(fill_batches([(index, lengths[index]) for index in order], limits))
    for start in range(0, len(batches), batches_per_call):
        yield [index for batch in batches[start : start + batches_per_call] for index in batch]


def fill_batches(lengths: list[tuple[int, float]], limits: BatchLimits) -> Iterator[list[int]]:
    """Yield the indices in batches within the limits; the lengths [s] must not increase."""
    batch: list[int] = []
    longest = 0.0
    for index, seconds in lengths:
        if batch and not limits.fits(len(batch) + 1, longest):
            yield batch
            batch = []
        longest = seconds if not batch else longest
        batch.append(index)
    if batch:
        yield batch


def expected_lengths(requests: list[Request], fetchers: Executor) -> list[float]:
    """Return the expected length of each request; the files whose headers are needed are fetched in parallel."""
    remote = [request for request in requests if request.duration is None and is_remote(request)]
    known = dict(zip(map(id, remote), fetchers.map(expected_seconds, remote), strict=True))
    return [known[id(request)] if id(request) in known else expected_seconds(request) for request in requests]


def is_remote(request: Request) -> bool:
    """Tell whether a request's audio has to be fetched."""
    return "://" in request.path and is_url(parse_place(request.path).container)


def fetch_and_decode(request: Request, decode: Callable[[], Future[Clip | BadAudio]]) -> Clip | BadAudio:
    """Fetch the file of a request, and wait until a decoder has decoded it."""
    try:
        fetch(parse_place(request.path).container, request.root)
    except BadAudio as problem:
        return problem
    except OSError:  # of this machine's disk; decoding tries again
        pass
    return decode().result()


def expected_seconds(request: Request) -> float:
    """Return the utterance's length by the manifest, or by the header of its file; 0 if neither tells."""
    if request.duration is not None:
        return request.duration
    return header_duration(request.path, request.root) - (request.offset or 0.0)


def decode_request(request: Request, rate: int | None, options: EngineOptions) -> Clip | BadAudio:
    """Return the request's audio, or the reason why there is none, or other audio than an earlier pass decoded."""
    try:
        clip = load_clip(
            request.path,
            request.offset,
            request.duration,
            None if request.measures else rate,
            options.max_seconds,
            request.root,
            channel=request.channel,
            rounding=request.rounding,
        )
    except BadAudio as problem:
        if request.identity is None or problem.reason in UNAVAILABLE:
            return problem
        return BadAudio("AUDIO_CHANGED", f"now {problem.reason}: {problem.detail}", problem.stats)
    if request.identity is not None and not is_same_audio(request.identity, clip.identity):
        return BadAudio("AUDIO_CHANGED", "another pass decoded other samples", clip.stats)
    return listen_to(clip, request.measures, rate) if request.measures else clip


def run_call(
    recogniser: Recogniser, requests: list[Request], group: list[int], audio: list[Future[Clip | BadAudio]]
) -> CallResults:
    """Transcribe a group of requests in one call of the model; those without audio get their reason."""
    decoded = dict(zip(group, (future.result() for future in audio), strict=True))
    audio.clear()
    call = CallResults()
    for index, problem in decoded.items():
        if isinstance(problem, BadAudio):
            call.results[index] = Result(stats=problem.stats, reason=problem.reason, detail=problem.detail)
    clips = {index: clip for index, clip in decoded.items() if isinstance(clip, Clip)}
    if not clips:
        return call
    order = sorted(clips, key=lambda index: (-clips[index].seconds, index))
    batches = list(fill_batches([(index, clips[index].seconds) for index in order], recogniser.batch_limits))
    began = time.perf_counter()
    outcomes = transcribe_batches([[(requests[i], clips[i]) for i in batch] for batch in batches], recogniser)
    call.model_seconds = time.perf_counter() - began
    call.padded_seconds = sum(len(batch) * clips[batch[0]].seconds for batch in batches)
    for index, outcome in zip((index for batch in batches for index in batch), outcomes, strict=True):
        call.results[index] = to_result(outcome, clips[index], requests[index])
        if isinstance(outcome, Exception) and quarantine_reason(outcome) == "MODEL_ERROR":
            call.failures.append(outcome)
    return call


def to_result(outcome: Hypothesis | Exception, clip: Clip, request: Request) -> Result:
    reason, detail = None, None
    if isinstance(outcome, Exception):
        reason, detail = quarantine_reason(outcome), str(outcome) or type(outcome).__name__
    elif not outcome.finite:
        reason = "NONFINITE_SCORE"
    hypothesis = outcome if isinstance(outcome, Hypothesis) and reason is None else None
    if hypothesis and request.texts and not hypothesis.evidence:
        hypothesis = replace(hypothesis, evidence=unsupported(request))
    return Result(hypothesis, clip.stats, reason, detail, clip.identity, clip.mended, clip.found, clip.heard)


def unsupported(request: Request) -> tuple[TextEvidence, ...]:
    """Return, for each text of a request, that its model gives no evidence."""
    counts = (count_words(text, request.comparison.normalizer, request.text_language) for text in request.texts)
    return tuple(TextEvidence(words, reason="NOT_SUPPORTED") for words in counts)

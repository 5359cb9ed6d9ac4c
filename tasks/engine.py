"""Hearing: audio files in, texts out.

Utterances are sorted by length and put into batches before any of them is read; their audio is decoded in threads ahead
of the model, and the batches go through it in lanes. NeMo's own `transcribe()` does none of that: half of what it
computes is padding, it loses a whole call to one bad file, and leaves the model in training mode (dropout on) behind.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import soundfile

from tasks.audio import BadAudio, Clip, load
from tasks.config import Engine
from tasks.recogniser import Batch, Recogniser, Request

DECODERS = 4  # threads; soundfile and soxr work outside Python's lock
AHEAD = 2  # calls of the model whose audio is decoded before a lane is free

log = logging.getLogger("winnow")


@dataclass(frozen=True)
class Heard:
    """What became of a request: a text and the measured seconds, or the reason why there is none."""

    text: str | None = None
    seconds: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Call:
    """What a call of the model gave: answers by the index of the request, its seconds, and what failed."""

    answers: dict[int, Heard]
    padded_seconds: float
    failures: list[Exception]


def hear(recogniser: Recogniser, requests: list[Request], options: Engine) -> tuple[list[Heard], dict[str, float]]:
    """One answer for each request, in their order, and what it took: seconds, and those of audio with its padding."""
    began = time.perf_counter()
    calls: list[Call] = []
    running: deque[Future[Call]] = deque()
    with (
        ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as decoders,
        ThreadPoolExecutor(recogniser.lanes, thread_name_prefix="lane") as lanes,
    ):
        for group in planned(requests, options.batch_seconds * recogniser.together):
            clips = [decoders.submit(decoded, requests[i], recogniser.rate, options.max_seconds) for i in group]
            running.append(lanes.submit(call, recogniser, requests, group, clips, options.batch_seconds))
            if len(running) > recogniser.lanes + AHEAD:
                calls.append(running.popleft().result())
        calls += [future.result() for future in running]
    answers = {index: heard for one in calls for index, heard in one.answers.items()}
    read = [heard for heard in answers.values() if heard.text is not None]
    failures = [failure for one in calls for failure in one.failures]
    if failures and not read:
        raise failures[0]  # not an utterance's fault
    spent = {
        "utterances": float(len(read)),
        "audio_seconds": sum(heard.seconds or 0.0 for heard in read),
        "padded_seconds": sum(one.padded_seconds for one in calls),
        "seconds": time.perf_counter() - began,
    }
    return [answers[index] for index in range(len(requests))], spent


def planned(requests: list[Request], seconds: float) -> Iterator[list[int]]:
    """The indices of requests of like length, longest first, about so many seconds together."""
    lengths = [length(request) for request in requests]
    group: list[int] = []
    filled = 0.0
    for index in sorted(range(len(requests)), key=lambda i: (-lengths[i], i)):
        if group and filled + lengths[index] > seconds:
            yield group
            group, filled = [], 0.0
        group.append(index)
        filled += lengths[index]
    if group:
        yield group


def length(request: Request) -> float:
    """The seconds that an utterance should have, by the manifest or the header of its file; 0 where neither says."""
    if request.duration is not None:
        return request.duration
    try:
        return float(soundfile.info(request.path).duration) - (request.offset or 0.0)
    except (OSError, soundfile.SoundFileError, ValueError, TypeError):
        return 0.0  # whatever is the matter is found when it is decoded


def decoded(request: Request, rate: int, longest: float) -> Clip | str:
    """The request's audio, or the reason why there is none."""
    try:
        return load(request.path, request.offset, request.duration, rate, longest)
    except BadAudio as problem:
        return str(problem)


def call(
    recogniser: Recogniser, requests: list[Request], group: list[int], audio: list[Future[Clip | str]], seconds: float
) -> Call:
    """One call of the model for a group of requests; those without audio get their reason."""
    found = dict(zip(group, (future.result() for future in audio), strict=True))
    audio.clear()
    answers = {index: Heard(reason=reason) for index, reason in found.items() if isinstance(reason, str)}
    clips = [(index, clip) for index, clip in found.items() if isinstance(clip, Clip)]
    parts = list(batches(clips, seconds))
    texts = iter(read([[(requests[i], clip) for i, clip in part] for part in parts], recogniser) if parts else [])
    failures = []
    for index, clip in (item for part in parts for item in part):
        text = next(texts)
        if isinstance(text, Exception):
            failures.append(text)
            answers[index] = Heard(seconds=clip.seconds, reason="MODEL_ERROR")
        else:
            answers[index] = Heard(text, clip.seconds)
    return Call(answers, sum(len(part) * part[0][1].seconds for part in parts), failures)


def batches(clips: list[tuple[int, Clip]], seconds: float) -> Iterator[list[tuple[int, Clip]]]:
    """Clips of like length together, longest first, each batch at most `seconds` long with its padding."""
    batch: list[tuple[int, Clip]] = []
    for index, clip in sorted(clips, key=lambda item: (-item[1].seconds, item[0])):
        if batch and (len(batch) + 1) * batch[0][1].seconds > seconds:
            yield batch
            batch = []
        batch.append((index, clip))
    if batch:
        yield batch


def read(parts: list[Batch], recogniser: Recogniser) -> list[str | Exception]:
    """A text for each clip; what fails is halved until only the clip that fails is left, with its error.

    What another clip would not mend either, a lost device or no memory, is raised.
    """
    try:
        texts = recogniser.texts(parts)
        if len(texts) != sum(map(len, parts)):
            raise ValueError(f"{len(texts)} texts for {sum(map(len, parts))} utterances")
        return list(texts)
    except MemoryError:
        raise
    except Exception as error:
        if "CUDA error" in str(error):
            raise
        if len(parts) > 1:
            return [text for part in parts for text in read([part], recogniser)]
        (batch,) = parts
        if len(batch) == 1:
            log.warning("%s: the model failed: %r", batch[0][0].path, error)
            return [error]
        half = len(batch) // 2
        return read([batch[:half]], recogniser) + read([batch[half:]], recogniser)

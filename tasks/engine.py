"""Hearing: audio files in, texts out.

Audio is decoded in threads ahead of the model, sorted by length inside a window and batched by seconds; a batch goes
through features, encoder and decoder in one `inference_mode` pass. NeMo's own `transcribe()` does none of that, loses a
whole call to one bad file, and leaves the model in training mode (dropout on) behind.
"""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from tasks.audio import BadAudio, Clip, load
from tasks.config import Engine
from tasks.recogniser import Recogniser, Request

log = logging.getLogger("winnow")

WINDOW = 1_024  # utterances that are decoded and sorted together
DECODERS = 4  # threads; soundfile and soxr work outside Python's lock


@dataclass(frozen=True)
class Heard:
    """What became of a request: a text and the measured seconds, or the reason why there is none."""

    text: str | None = None
    seconds: float | None = None
    reason: str | None = None


def hear(recogniser: Recogniser, requests: list[Request], options: Engine) -> tuple[list[Heard], dict[str, float]]:
    """One answer for each request, in their order, and what it took: seconds, and those of audio with its padding."""
    answers: dict[int, Heard] = {}
    spent = {"utterances": 0.0, "audio_seconds": 0.0, "padded_seconds": 0.0}
    failed: list[Exception] = []
    began = time.perf_counter()
    with ThreadPoolExecutor(recogniser.lanes, thread_name_prefix="lane") as lanes:
        for window in loaded(requests, recogniser.rate, options.max_seconds):
            answers |= {index: Heard(reason=found) for index, found in window if isinstance(found, str)}
            clips = [(index, found) for index, found in window if isinstance(found, Clip)]
            todo = list(batches(clips, options.batch_seconds))
            texts = lanes.map(lambda batch: read([(requests[i], clip) for i, clip in batch], recogniser), todo)
            for batch, found in zip(todo, texts, strict=True):
                spent["padded_seconds"] += len(batch) * batch[0][1].seconds
                for (index, clip), text in zip(batch, found, strict=True):
                    if isinstance(text, Exception):
                        answers[index] = Heard(seconds=clip.seconds, reason="MODEL_ERROR")
                        failed.append(text)
                    else:
                        answers[index] = Heard(text, clip.seconds)
                        spent["utterances"] += 1
                    spent["audio_seconds"] += clip.seconds
    if failed and not spent["utterances"]:
        raise failed[0]  # not an utterance's fault
    return [answers[index] for index in range(len(requests))], spent | {"seconds": time.perf_counter() - began}


def loaded(requests: Iterable[Request], rate: int, longest: float) -> Iterator[list[tuple[int, Clip | str]]]:
    """The requests' audio, window by window, each with its index; one window is decoded while another is read."""

    def one(request: Request) -> Clip | str:
        try:
            return load(request.path, request.offset, request.duration, rate, longest)
        except BadAudio as problem:
            return str(problem)

    numbered = enumerate(requests)
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:
        ahead: deque[list[tuple[int, Future[Clip | str]]]] = deque()
        while True:
            while len(ahead) < 2 and (window := list(islice(numbered, WINDOW))):
                ahead.append([(index, pool.submit(one, request)) for index, request in window])
            if not ahead:
                return
            yield [(index, future.result()) for index, future in ahead.popleft()]


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


def read(batch: list[tuple[Request, Clip]], recogniser: Recogniser) -> list[str | Exception]:
    """A text for each clip; a batch that fails is halved until only the clip that fails is left, with its error.

    What another clip would not mend either, a lost device or no memory, is raised.
    """
    try:
        texts = recogniser.texts(batch)
        if len(texts) != len(batch):
            raise ValueError(f"{len(texts)} texts for {len(batch)} utterances")
        return list(texts)
    except MemoryError:
        raise
    except Exception as error:
        if "CUDA error" in str(error):
            raise
        if len(batch) == 1:
            log.warning("%s: the model failed: %r", batch[0][0].path, error)
            return [error]
        half = len(batch) // 2
        return read(batch[:half], recogniser) + read(batch[half:], recogniser)

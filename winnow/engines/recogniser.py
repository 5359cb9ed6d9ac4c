"""Models that hear: what they are given, what they give back, and which of them stay in memory."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from winnow.audio.decode import Clip
from winnow.engines.batching import BatchBudget
from winnow.engines.nemo.preflight import CheckpointError
from winnow.models.resolve import Checkpoint, ensure_local
from winnow.parameters.options import Engine


@dataclass(frozen=True)
class Request:
    """An utterance to be heard: a slice of its file where there is an offset, else the whole of it."""

    path: str
    offset: float | None
    duration: float | None
    root: str | None = None
    """The folder that the file must lie in."""
    language: str | None = None
    """What is spoken, where that changes how it is heard."""


@dataclass(frozen=True)
class Word:
    """A word of a reading and where it was heard, in seconds from the start of the utterance."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Hypothesis:
    """What a model read. Confidences lie between 0 and 1; null where the model gives none.

    `sound` is false where the model's scores were not finite: the text means nothing then.
    """

    text: str
    tokens: int | None = None
    confidence: float | None = None
    word_confidence: list[float] | None = None
    words: list[Word] | None = None
    sound: bool = True


Batch = list[tuple[Request, Clip]]


class Recogniser(Protocol):
    """A model. One reading comes back for each clip of the batches it is given, in order."""

    rate: int
    lanes: int
    """From how many threads it may be called at once."""
    together: int
    """How many batches it reads best in a call."""
    budget: BatchBudget
    facts: dict[str, Any]
    """How it runs: device and precision."""

    def read(self, batches: list[Batch]) -> list[Hypothesis]: ...

    def peak_bytes(self) -> int | None:
        """The most device memory since it was last asked; null on a CPU."""


class MissingTranscript(Exception):
    """An utterance that a file of readings says nothing of."""


class PrecomputedHypotheses:
    """Texts that another system read: a NeMo manifest with `pred_text`, found by audio file and offset."""

    rate = 16_000
    lanes = 1
    together = 1

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.path = checkpoint.path
        self.budget = BatchBudget(600)
        self.facts: dict[str, Any] = {}
        self.readings: dict[tuple[str, float], Hypothesis] = {}
        for number, line in enumerate(checkpoint.path.read_bytes().split(b"\n"), 1):
            if not line.strip():
                continue
            place = f"{checkpoint.path}:{number}"
            try:
                row = msgspec.json.decode(line, type=TranscriptLine)
            except msgspec.DecodeError as error:
                raise CheckpointError(f"{place}: no reading (audio_filepath and pred_text): {error}") from error
            key = os.path.normpath(checkpoint.path.parent / row.audio_filepath), row.offset
            if key in self.readings:
                raise CheckpointError(f"{place}: a second reading of {row.audio_filepath} at {row.offset} s")
            self.readings[key] = Hypothesis(row.pred_text, confidence=row.confidence)

    def read(self, batches: list[Batch]) -> list[Hypothesis]:
        return [self.reading(request) for batch in batches for request, _ in batch]

    def reading(self, request: Request) -> Hypothesis:
        found = self.readings.get((os.path.normpath(request.path), request.offset or 0.0))
        if found is None:
            raise MissingTranscript(f"{self.path} has none of {request.path} at {request.offset or 0.0} s")
        return found

    def peak_bytes(self) -> int | None:
        return None


class TranscriptLine(msgspec.Struct):
    """A line of a manifest of readings."""

    audio_filepath: str
    pred_text: str
    offset: float = 0.0
    confidence: float | None = None


_most = 2
_residents: OrderedDict[tuple[Checkpoint, Engine], Recogniser] = OrderedDict()
_loading = threading.Lock()


def set_cache_size(models: int) -> None:
    """Let so many recognisers stay in memory: as many as a run has."""
    global _most
    with _loading:
        _most = max(_most, models)


def get_model(checkpoint: Checkpoint, options: Engine) -> Recogniser:
    """The checkpoint's recogniser, loaded once a process, whatever threads ask for it.

    The last two used stay, or as many as `keep` was told; fewer, where there is no memory for another.
    """
    key = checkpoint, options
    with _loading:
        if key not in _residents:
            while len(_residents) >= _most:
                _residents.popitem(last=False)
            _residents[key] = load_with_eviction(lambda: load_recogniser(checkpoint, options))
        _residents.move_to_end(key)
        return _residents[key]


def load_with_eviction(load: Callable[[], Recogniser]) -> Recogniser:
    """A recogniser as it is loaded; the longest unused ones go for it until there is memory enough."""
    while True:
        try:
            return load()
        except Exception as error:
            if not _residents or "out of memory" not in str(error).lower():
                raise
        _residents.popitem(last=False)


def load_recogniser(checkpoint: Checkpoint, options: Engine) -> Recogniser:
    if checkpoint.path.suffix == ".jsonl":
        return PrecomputedHypotheses(checkpoint)
    from winnow.engines.nemo.model import NemoModel

    return NemoModel(ensure_local(checkpoint), options)


def cores() -> int:
    """The cores that this process, or its container, may use; a worker that shares them is told by WINNOW_CORES."""
    if given := os.environ.get("WINNOW_CORES"):
        return int(given)
    from dask.system import cpu_count

    return cpu_count()

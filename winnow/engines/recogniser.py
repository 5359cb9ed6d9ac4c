"""Models that hear: what they are given, what they give back, and which of them stay in memory."""

from dataclasses import dataclass
from typing import Any, Protocol

from winnow.audio.decode import Clip
from winnow.engines.batching import BatchBudget
from winnow.text.hypothesis import Hypothesis


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


Batch = list[tuple[Request, Clip]]


class Recogniser(Protocol):
    """A model. One reading comes back for each clip of the batches it is given, in order."""

    rate: int
    threads: int
    """From how many threads it may be called at once."""
    batches_per_call: int
    """How many batches it reads best in a call."""
    budget: BatchBudget
    facts: dict[str, Any]
    """How it runs: device and precision."""

    def read(self, batches: list[Batch]) -> list[Hypothesis]: ...

    def peak_bytes(self) -> int | None:
        """The most device memory since it was last asked; null on a CPU."""


class MissingTranscript(Exception):
    """An utterance that a file of readings says nothing of."""

"""The seam of measures: what is heard, the columns that a measure adds, and what it is made with.

A new measure is one module with a subclass of `Measure`, and one line in `winnow.listening.registry`. In contrast to
`winnow.audio.measurements`, which every run computes, a measure is computed where a run asks for it or a rule needs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from winnow.digests import sha256_of
from winnow.errors import OptionError

if TYPE_CHECKING:  # pyarrow and soxr, which the help of a command must not import
    import numpy as np
    from numpy.typing import NDArray

    from winnow.audio.measurements import Samples
    from winnow.audio.voice_activity import Span

RATE = 16_000  # Hz, of what measures hear

Value = float | int | bool | str | bytes | None
Kind = Literal["number", "integer", "line", "boolean", "text", "vector"]


class Column(NamedTuple):
    """A column of a measure: its type, and what it says with its unit. Null means that the measure cannot tell.

    A `line` is a line of the manifest, of which reports show no distribution.
    """

    name: str
    kind: Kind
    description: str


class Sound:
    """A decoded utterance: mono samples at RATE, where 1 is full scale, and what several measures need of them."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    @property
    def seconds(self) -> float:
        """The length of the utterance."""
        return len(self.samples) / RATE

    @cached_property
    def speech(self) -> list[Span]:
        """The spans of speech, by Silero VAD."""
        import numpy as np

        from winnow.audio.voice_activity import speech_probabilities, speech_spans

        parts = list(speech_probabilities([self.samples]))
        return speech_spans(np.concatenate(parts) if parts else np.empty(0, np.float32), len(self.samples))


class Utterances(NamedTuple):
    """The utterances of a run that are not quarantined, as measures compare them, in the order of their lines.

    `places` are equal where lines name the same audio, `samples` where the decoded samples are the same.
    """

    lines: list[int]
    places: list[int]
    seconds: list[float]
    samples: list[str]
    speakers: list[str | None]


class Measure(ABC):
    """A measure: its columns, and what can change their values.

    `packages` maps modules to the packages that they come with, if these are in the extra `extra`. Measures may be
    called from several threads at once. The result may depend on nothing but what is measured and what `versions`
    names.
    """

    name: str
    columns: tuple[Column, ...]
    packages: Mapping[str, str] = {}
    extra: str = "listen"

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return whatever can change the values: the sha256 of models, versions of packages, that of the method."""

    def missing_package(self) -> str | None:
        """Return the first package that is not installed."""
        return next((package for module, package in self.packages.items() if find_spec(module) is None), None)

    def check_installed(self) -> None:
        """Raise OptionError, which names the extra, if a package is missing."""
        if package := self.missing_package():
            raise OptionError(f"the measure {self.name} requires {package}: install winnow[{self.extra}]")


class AudioMeasure(Measure):
    """A measure of the audio of an utterance, on what the first pass decodes."""

    @abstractmethod
    def measure(self, sound: Sound) -> dict[str, Value]:
        """Return the values of the columns `stored`; one that is left out is null."""

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns of its files."""
        return self.columns

    @property
    def own(self) -> tuple[Column, ...]:
        """The columns that are known of an utterance by itself."""
        return self.columns


class RunMeasure(AudioMeasure):
    """A measure that also compares the utterances of a run with each other, each by a vector.

    `relative` are the columns that this adds, of those in `columns`. Vectors are stored in the files of the measure
    only.
    """

    relative: tuple[Column, ...]

    @property
    def vector(self) -> str:
        """The name of the column with the vector, of bytes that `pack` makes."""
        return f"{self.name}_vector"

    @property
    def stored(self) -> tuple[Column, ...]:
        return (*self.own, Column(self.vector, "vector", "What utterances are compared by"))

    @property
    def own(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column not in self.relative)

    @abstractmethod
    def relate(self, run: Utterances, vectors: list[bytes | None]) -> dict[str, list[Value]]:
        """Return the values of the columns `relative` for each utterance."""


class TextMeasure(Measure):
    """A measure of the text of an utterance: its reference or, if it has none, its hypothesis."""

    @abstractmethod
    def measure_text(self, text: str) -> dict[str, Value]:
        """Return the values of the columns, of a text with at least one letter; one that is left out is null."""


def pack(vector: NDArray[np.float32]) -> bytes:
    """Return a vector as half floats."""
    return vector.astype("<f2").tobytes()


def unpack(vectors: Iterable[bytes | None]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return which utterances have a vector, and these, of shape (vectors, numbers)."""
    import numpy as np

    known = {at: np.frombuffer(vector, "<f2") for at, vector in enumerate(vectors) if vector is not None}
    rows = np.stack(list(known.values())).astype(np.float32) if known else np.empty((0, 0), np.float32)
    return np.fromiter(known, np.intp), rows


def onnx_versions(*models: Path) -> dict[str, str]:
    """Return the version of onnxruntime, and the sha256 of models that it runs."""
    return {"onnxruntime": version("onnxruntime")} | {model.name: sha256_of(model) for model in models}

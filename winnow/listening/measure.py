"""The seam of measures: what is heard, the columns that a measure adds, and what it is made with.

A new measure is one module with a subclass of `Measure`, and one line in `winnow.listening.registry`. In contrast to
`winnow.audio.measurements`, which every run computes, a measure is computed where a run asks for it or a rule needs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from winnow.digests import sha256_of
from winnow.errors import OptionError

if TYPE_CHECKING:  # pyarrow and soxr, which the help of a command must not import
    from winnow.audio.measurements import Samples
    from winnow.audio.voice_activity import Span

RATE = 16_000  # Hz, of what measures hear

Value = float | int | bool | str | None
Kind = Literal["number", "integer", "boolean", "text"]


class Column(NamedTuple):
    """A column of a measure: its type, and what it says with its unit. Null means that the measure cannot tell."""

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
        """Return the values of the columns; one that is left out is null."""


class TextMeasure(Measure):
    """A measure of the text of an utterance: its reference or, if it has none, its hypothesis."""

    @abstractmethod
    def measure_text(self, text: str) -> dict[str, Value]:
        """Return the values of the columns, of a text with at least one letter; one that is left out is null."""


def onnx_versions(*models: Path) -> dict[str, str]:
    """Return the version of onnxruntime, and the sha256 of models that it runs."""
    return {"onnxruntime": version("onnxruntime")} | {model.name: sha256_of(model) for model in models}

"""Which measures there are, and what they are asked for."""

from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING

from winnow.listening.copies import Copies
from winnow.listening.language import Language
from winnow.listening.measure import AudioMeasure, Column, Measure, RunMeasure, Sound, TextMeasure, Value
from winnow.listening.quality import Quality
from winnow.listening.snr import Snr
from winnow.listening.speakers import Speakers
from winnow.listening.speech import Speech

if TYPE_CHECKING:
    from winnow.audio.measurements import Samples

MEASURES: dict[str, Measure] = {
    "speech": Speech(),
    "quality": Quality(),
    "snr": Snr(),
    "language": Language(),
    "copies": Copies(),
    "speakers": Speakers(),
}
"""All measures by name, in the order of their columns."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of measures without repetition, in the order of their columns."""
    given = set(names)
    return tuple(name for name in MEASURES if name in given)


def columns_of(names: Iterable[str]) -> list[Column]:
    """Return the columns of some measures."""
    return [column for name in names for column in MEASURES[name].columns]


def own_columns_of(names: Iterable[str]) -> list[Column]:
    """Return the columns of some measures that are known of an utterance by itself."""
    measures = (MEASURES[name] for name in names)
    return [column for one in measures for column in (one.own if isinstance(one, AudioMeasure) else one.columns)]


def measure_of(column: str) -> str | None:
    """Return the name of the measure that a column belongs to."""
    return next((name for name in MEASURES for own in MEASURES[name].columns if own.name == column), None)


def of_audio(names: Iterable[str]) -> dict[str, AudioMeasure]:
    """Return those of some measures that hear the audio."""
    return {name: measure for name in names if isinstance(measure := MEASURES[name], AudioMeasure)}


def of_text(names: Iterable[str]) -> dict[str, TextMeasure]:
    """Return those of some measures that read the text."""
    return {name: measure for name in names if isinstance(measure := MEASURES[name], TextMeasure)}


def of_run(names: Iterable[str]) -> dict[str, RunMeasure]:
    """Return those of some measures that compare utterances."""
    return {name: measure for name in names if isinstance(measure := MEASURES[name], RunMeasure)}


def listen(names: Iterable[str], samples: "Samples") -> dict[str, Value]:
    """Return what some measures of audio store, of mono samples at `winnow.listening.measure.RATE`."""
    sound = Sound(samples)
    values: dict[str, Value] = {}
    for measure in of_audio(names).values():
        values |= in_columns(measure.stored, measure.measure(sound))
    return values


def read_text(names: Iterable[str], text: str | None) -> dict[str, Value]:
    """Return the columns of some measures of texts; all are null if there is none."""
    values: dict[str, Value] = {}
    for measure in of_text(names).values():
        values |= in_columns(measure.columns, {} if text is None else measure.measure_text(text))
    return values


def in_columns(columns: Iterable[Column], values: dict[str, Value]) -> dict[str, Value]:
    """Return a value for each column; null for one that is left out, or not a finite number."""
    found = {column.name: values.get(column.name) for column in columns}
    return {name: None if isinstance(value, float) and not isfinite(value) else value for name, value in found.items()}

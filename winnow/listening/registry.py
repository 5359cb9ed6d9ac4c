"""Which measures there are, and what they are asked for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from winnow.listening.measure import Column, Measure, Sound, Value
from winnow.listening.quality import Quality
from winnow.listening.snr import Snr
from winnow.listening.speech import Speech

if TYPE_CHECKING:
    from winnow.audio.measurements import Samples

MEASURES: dict[str, Measure] = {
    "speech": Speech(),
    "quality": Quality(),
    "snr": Snr(),
}
"""All measures by name, in the order of their columns."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of measures without repetition, in the order of their columns."""
    given = set(names)
    return tuple(name for name in MEASURES if name in given)


def columns_of(names: Iterable[str]) -> list[Column]:
    """Return the columns of some measures."""
    return [column for name in names for column in MEASURES[name].columns]


def measure_of(column: str) -> str | None:
    """Return the name of the measure that a column belongs to."""
    return next((name for name in MEASURES for own in MEASURES[name].columns if own.name == column), None)


def listen(names: Iterable[str], samples: "Samples") -> dict[str, Value]:
    """Return the columns of some measures, of mono samples at `winnow.listening.measure.RATE`."""
    sound = Sound(samples)
    values: dict[str, Value] = {}
    for name in names:
        measured = MEASURES[name].measure(sound)
        values |= {column.name: measured.get(column.name) for column in MEASURES[name].columns}
    return values

"""What divides a run into slices, in reports and in differences: classes of duration, and fields of few values."""

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MOST_VALUES = 50  # of a field
MOST_CHARACTERS = 100  # of a value
FEWEST_UTTERANCES = 10  # of a slice
SECONDS = [0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0]
NOT_STATED = "(not stated)"

MEASURED = ("sample_rate", "channels", "narrowband")
"""Columns of what was measured in the audio that divide a run as its fields do."""

SHOWN_OTHERWISE = ("lang", "language", "duration")
"""Fields of the manifest that have slices of their own."""


def duration_classes(seconds: NDArray[np.float64]) -> pa.Array:
    """Return the class of each duration."""
    labels = [f"{low:g} to {high:g} s" for low, high in pairwise(SECONDS)]
    labels.append(f"{SECONDS[-1]:g} s and more")
    bins = np.clip(np.searchsorted(SECONDS, seconds, side="right") - 1, 0, len(labels) - 1)
    return pa.array(labels).take(pa.array(bins))


def text_of(value: object) -> str | None:
    """Return a value of a field as the name of a slice: a short text, a whole number or a truth value; else None."""
    if not isinstance(value, str | int):
        return None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= MOST_CHARACTERS else None


def names_of_values(values: list[Any]) -> pa.Array | None:
    """Return the value of a field in each row as the name of a slice; None if a value is none, or if there are many."""
    texts = [None if value is None else text_of(value) for value in values]
    if texts.count(None) != values.count(None) or len(set(texts)) > MOST_VALUES:
        return None
    return pa.array(texts, pa.string()).dictionary_encode()


def names_in_column(column: pa.Array) -> pa.Array | None:
    """Return the same for a column with a type."""
    distinct = column.dictionary_encode()
    if len(distinct.dictionary) > MOST_VALUES:
        return None
    names = names_of_values(distinct.dictionary.to_pylist())
    return None if names is None else names.cast(pa.string()).take(distinct.indices)

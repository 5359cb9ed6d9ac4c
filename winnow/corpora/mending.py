"""Values that a field should not have, but that say without loss what is meant.

`winnow.schema.MENDINGS` names and explains each mending. A row that was mended says so, and the report counts them.
"""

from collections.abc import Callable
from math import isinf
from typing import Any, TypeVar

from winnow.audio.file_names import path_of_url
from winnow.corpora.faults import BadUtterance
from winnow.text.number_form import finite_number

T = TypeVar("T")

NUMERIC_FIELDS = ("offset", "duration")
MAX_TEXT_INTEGER = 2**63  # longer numbers are not words
CHANNEL_NAMES = {"a": 0, "b": 1, "left": 0, "right": 1}
"""How corpora of telephone calls name the channels, which are their speakers."""


def parse_or_mend(name: str, value: object, parse: Callable[[object], T], mendings: list[str]) -> T:
    """Parse the value of a field, mended as often as that helps, and add how to `mendings`; else raise BadUtterance."""
    applied: list[str] = []
    while True:
        try:
            parsed = parse(value)
        except BadUtterance:
            step = mend(name, value)
            if step is None:
                raise
            value, mending = step
            applied.append(mending)
        else:
            mendings += applied
            return parsed


def mend(name: str, value: object) -> tuple[Any, str] | None:
    """Return what a value of a field means, and the key of its mending; None if that cannot be told without loss."""
    match value:
        case [single]:
            return single, "LIST_OF_ONE"
        case float() if name == "duration" and isinf(value):
            return None, "NAN_AS_NULL"
        case bool():
            return None
        case int() if name == "text" and abs(value) < MAX_TEXT_INTEGER:
            return str(value), "TEXT_AS_NUMBER"
        case str() if name in NUMERIC_FIELDS and not value.strip():
            return None, "EMPTY_NUMBER"
        case str() if name in NUMERIC_FIELDS and (number := finite_number(value.strip())) is not None:
            return number, "NUMBER_AS_TEXT"
        case str() if name == "audio_filepath" and (path := path_of_url(value)):
            return path, "FILE_URL"
        case str() if name == "channel":
            return channel_of_text(value), "CHANNEL_AS_TEXT"
    return None


def channel_of_text(text: str) -> int | None:
    """Return the channel that a text names: a number from 0, A or B, left or right."""
    text = text.strip().lower()
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else CHANNEL_NAMES.get(text)

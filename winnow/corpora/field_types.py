"""The kinds of value that the manifest's own fields have (see FIELD_TYPES), from which their columns' types follow."""

from collections.abc import Iterable
from typing import Any

MAX_EXACT_INTEGER = 2**53  # integers up to here are floats as well

FieldTypes = dict[str, str | None]
"""By field, in the order of the manifest; None where it was only ever null."""


def type_of(value: object) -> str | None:
    """The kind of a value; null is of any kind."""
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "integer" if abs(value) <= MAX_EXACT_INTEGER else "long" if -(2**63) <= value < 2**63 else "json"
        case float():
            return "number"
        case str():
            return "string"
        case _:
            return "json"


def widen(one: str | None, other: str | None) -> str | None:
    """The simplest kind that holds values of both."""
    match {one, other} - {None}:
        case kinds if len(kinds) < 2:
            return one or other
        case kinds if kinds == {"integer", "number"}:
            return "number"
        case kinds if kinds == {"integer", "long"}:
            return "long"
    return "json"


def infer_types(rows: Iterable[dict[str, Any]]) -> FieldTypes:
    """The kinds in rows of fields."""
    found: FieldTypes = {}
    for row in rows:
        for name, value in row.items():
            now = type_of(value)
            if name not in found or found[name] != now:
                found[name] = widen(found.get(name), now)
    return found


def merge_types(parts: Iterable[FieldTypes]) -> FieldTypes:
    """The kinds of all parts together."""
    found: FieldTypes = {}
    for part in parts:
        for name, now in part.items():
            found[name] = widen(found.get(name), now)
    return found

"""Types of the manifest fields that have no column of their own, inferred from their values."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

MAX_EXACT_INTEGER = 2**53  # integers up to here are floats as well

FIELD_TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "long": pa.int64(),  # beyond MAX_EXACT_INTEGER, so that they do not mix with floats
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
"""The column type of each field type. Fields of the type `json` (lists, objects, mixtures) are strings of JSON."""

FieldTypes = dict[str, str | None]
"""The type of each field, in the order of the manifest; None for a field that is always null."""


def type_of(value: object) -> str | None:
    """Return the type of a decoded JSON value; None for null, which is of any type."""
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


def widen(first: str | None, second: str | None) -> str | None:
    """Return the simplest type that holds the values of both."""
    match {first, second} - {None}:
        case types if len(types) < 2:
            return first or second
        case types if types == {"integer", "number"}:
            return "number"
        case types if types == {"integer", "long"}:
            return "long"
    return "json"


def infer_types(rows: Iterable[dict[str, Any]]) -> FieldTypes:
    """Return the type of each field over some rows."""
    types: FieldTypes = {}
    for row in rows:
        for name, value in row.items():
            kind = type_of(value)
            if name not in types or types[name] != kind:
                types[name] = widen(types.get(name), kind)
    return types


def merge_types(parts: Iterable[FieldTypes]) -> FieldTypes:
    """Return the type of each field over parts whose types are known, whatever their order."""
    types: FieldTypes = {}
    for part in parts:
        for name, kind in part.items():
            types[name] = widen(types.get(name), kind)
    return types

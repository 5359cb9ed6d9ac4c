"""Fields of an utterance, as any form of input states them, checked and turned into a row."""

from pathlib import Path
from typing import Any

import msgspec

from winnow.parameters.redaction import redact_bytes, redact_text

NUMBERS = (int, float)
URL_PREFIXES = ("data:", "file:", "pipe:")  # other URLs have ://

Row = dict[str, Any]
"""An utterance by the columns of `winnow.schema.UTTERANCE`; a column that is left out is null."""


class BadUtterance(Exception):
    """An input row that is not an utterance.

    `reason` is a key of `winnow.schema.QUARANTINE_REASONS`; `detail` says what was found, without its content.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def parse_utterance(fields: dict[str, Any], folder: str, referenced: bool = True) -> Row:
    """Return the row of an input's fields, without its `id`; a bad value becomes null and the row has a `reason`.

    `audio_filepath`, `offset`, `duration` and `text` have columns, and a relative path starts at `folder`. All other
    fields, and bad values of these, are kept as JSON in `fields`. With `referenced`, a missing `text` is a fault.
    """
    row: Row = {"reason": None, "detail": None}
    values = {name: fields.pop(name, msgspec.UNSET) for name in PARSERS}
    for name, parse in PARSERS.items() if referenced else UNREFERENCED.items():
        try:
            row[name] = parse(values[name])
        except BadUtterance as fault:
            if row["reason"] is None:
                row |= {"reason": fault.reason, "detail": fault.detail}
            if values[name] not in (None, msgspec.UNSET):
                fields[name] = values[name]
    if "audio_filepath" in row:
        row["path"] = resolve_path(folder, row["audio_filepath"])
    elif row["reason"] == "UNSUPPORTED_SCHEME":
        row["audio_filepath"] = redact_text(fields.pop("audio_filepath"))
    row["fields"] = redact_bytes(msgspec.json.encode(fields)).decode()
    return row


def parse_path(value: object) -> str:
    if not isinstance(value, str):
        raise BadUtterance("NO_AUDIO_PATH", json_type(value))
    if not value.strip() or "\0" in value:
        raise BadUtterance("NO_AUDIO_PATH", "empty" if "\0" not in value else "a NUL in it")
    if value.lstrip().startswith("|") or value.rstrip().endswith("|"):
        raise BadUtterance("UNSUPPORTED_SCHEME", "a command")
    if "://" in value or value.lstrip().lower().startswith(URL_PREFIXES):
        raise BadUtterance("UNSUPPORTED_SCHEME", "a URL")
    return value


def parse_offset(value: object) -> float | None:
    offset = parse_seconds(value, "BAD_OFFSET")
    if offset is not None and offset < 0:
        raise BadUtterance("BAD_OFFSET", f"{offset} s")
    return offset


def parse_duration(value: object) -> float | None:
    duration = parse_seconds(value, "BAD_DURATION")
    if duration is not None and duration <= 0:
        raise BadUtterance("BAD_DURATION", f"{duration} s")
    return duration


def parse_seconds(value: object, reason: str) -> float | None:
    """Return a number of seconds, or None if it is not stated; anything else is a fault with this reason."""
    if value is None or value is msgspec.UNSET:
        return None
    if isinstance(value, bool) or not isinstance(value, NUMBERS):
        raise BadUtterance(reason, json_type(value))
    try:
        return float(value) + 0.0  # no -0.0
    except OverflowError:
        raise BadUtterance(reason, "out of range") from None


def parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise BadUtterance("BAD_TEXT", json_type(value))
    return redact_text(value)


def parse_optional_text(value: object) -> str | None:
    return None if value is None or value is msgspec.UNSET else parse_text(value)


PARSERS = {
    "audio_filepath": parse_path,
    "offset": parse_offset,
    "duration": parse_duration,
    "text": parse_text,
}
"""How each field with a column is parsed. Of several faults in a row, the first in this order is its reason."""

UNREFERENCED = PARSERS | {"text": parse_optional_text}


def resolve_path(folder: str, path: str) -> str:
    """Join a path to its folder exactly as pathlib does, but faster."""
    if path.startswith("./") or "//" in path or "/./" in path or path.endswith(("/", "/.")) or path in ("", "."):
        return str(Path(folder) / path)
    return path if path[0] == "/" else f"{folder.rstrip('/')}/{path}"


def json_type(value: object) -> str:
    """Name the JSON type of a decoded value, with its article; a field that is absent is `missing`."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", msgspec.UnsetType: "missing"}
    return "null" if value is None else names.get(type(value), "a number")

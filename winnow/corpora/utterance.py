"""Fields of an utterance, as any form of input states them, checked and turned into a row."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from winnow.audio.places import Place, parse_place
from winnow.audio.remote.urls import is_url, join_url, missing_library, scheme_of
from winnow.corpora.faults import BadUtterance, json_type
from winnow.corpora.mending import channel_of_text, parse_or_mend
from winnow.parameters.redaction import redact_bytes, redact_text
from winnow.text.normalize import is_too_long

NUMBERS = (int, float)
MAX_CHANNEL = 2**31 - 1
MAX_PATH = 4096  # characters; no disk has longer ones, and following their links takes the square of their length
URL_PREFIXES = ("data:", "file:", "pipe:")  # other URLs have ://

Row = dict[str, Any]
"""An utterance by the columns of `winnow.schema.UTTERANCE`; a column that is left out is null."""


def parse_utterance(fields: dict[str, Any], folder: str, referenced: bool = True, mended: Iterable[str] = ()) -> Row:
    """Return the row of an input's fields, without its `id`; a bad value becomes null and the row has a `reason`.

    `audio_filepath`, `offset`, `duration` and `text` have columns, and a relative path starts at `folder`. All other
    fields, and bad values of these, are kept as JSON in `fields`. With `referenced`, a missing `text` is a fault.
    `mended` says how the fields were mended before, by keys of `winnow.schema.MENDINGS`.
    """
    row: Row = {"reason": None, "detail": None}
    values = {name: fields.pop(name, msgspec.UNSET) for name in PARSERS}
    mendings, parsers = list(mended), PARSERS if referenced else UNREFERENCED
    badly_written = []
    for name, parse in parsers.items():
        try:
            row[name] = parse(values[name])
        except BadUtterance:
            badly_written.append(name)
    for name in badly_written:
        try:
            row[name] = parse_or_mend(name, values[name], parsers[name], mendings)
        except BadUtterance as fault:
            if row["reason"] is None:
                row |= {"reason": fault.reason, "detail": fault.detail}
            if values[name] not in (None, msgspec.UNSET):
                fields[name] = values[name]
    if row.get("duration") and written_without_decimals(values["duration"]):
        row["duration_rounding"] = 0.5
    if "channel" in fields or "channel_selector" in fields:
        try:
            row["audio_channel"] = parse_channels(fields, mendings)
        except BadUtterance as fault:
            if row["reason"] is None:
                row |= {"reason": fault.reason, "detail": fault.detail}
    if "audio_filepath" in row:
        row["path"] = resolve_path(folder, row["audio_filepath"])
    elif row["reason"] == "UNSUPPORTED_SCHEME" and isinstance(fields["audio_filepath"], str):
        row["audio_filepath"] = redact_text(fields.pop("audio_filepath"))
    if mendings:
        row["mended"] = list(dict.fromkeys(mendings))
    row["fields"] = redact_bytes(msgspec.json.encode(fields)).decode()
    return row


def parse_path(value: object) -> str:
    if not isinstance(value, str):
        raise BadUtterance("NO_AUDIO_PATH", json_type(value))
    if not value.strip() or "\0" in value:
        raise BadUtterance("NO_AUDIO_PATH", "empty" if "\0" not in value else "a NUL in it")
    if len(value) > MAX_PATH:
        raise BadUtterance("NO_AUDIO_PATH", f"a path of {len(value):,} characters")
    if value.lstrip().startswith("|") or value.rstrip().endswith("|"):
        raise BadUtterance("UNSUPPORTED_SCHEME", "a command")
    if "://" in value or value.lstrip().lower().startswith(URL_PREFIXES):
        check_url(parse_place(value))
    return value


def check_url(place: Place) -> None:
    """Raise BadUtterance unless a place that has the form of a URL is an entry of a local file, or can be fetched."""
    if place.kind and "://" not in place.container:
        return
    if not is_url(place.container):
        raise BadUtterance("UNSUPPORTED_SCHEME", "a URL")
    if redact_text(place.container) != place.container:
        raise BadUtterance("UNSUPPORTED_SCHEME", "a URL with credentials, which belong into the environment")
    if library := missing_library(scheme_of(place.container)):
        raise BadUtterance("UNSUPPORTED_SCHEME", f"a URL that needs {library}, which is not installed")


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
        seconds = float(value) + 0.0  # no -0.0
    except OverflowError:
        raise BadUtterance(reason, "out of range") from None
    if not isfinite(seconds):
        raise BadUtterance(reason, "infinite")
    return seconds


def written_without_decimals(value: object) -> bool:
    """Tell whether a number of seconds is written as a whole number, such as 4, "4" or [4], but not 4.0."""
    if isinstance(value, list) and len(value) == 1:
        return written_without_decimals(value[0])
    return isinstance(value, int) or (isinstance(value, str) and value.strip().lstrip("+").isdecimal())


def parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise BadUtterance("BAD_TEXT", json_type(value))
    if is_too_long(value):
        raise BadUtterance("TEXT_TOO_LONG", f"{len(value):,} characters")
    return redact_text(value)


def parse_optional_text(value: object) -> str | None:
    return None if value is None or value is msgspec.UNSET else parse_text(value)


def parse_channels(fields: dict[str, Any], mendings: list[str]) -> int | None:
    """Return the channel that `channel` (Lhotse) or `channel_selector` (NeMo) states; None for all channels, mixed."""
    names = ("channel", "channel_selector")
    stated = {parse_or_mend("channel", fields.get(name), parse_channel, mendings) for name in names} - {None}
    if len(stated) > 1:
        raise BadUtterance("BAD_CHANNEL", "channel and channel_selector differ")
    return stated.pop() if stated else None


def parse_channel(value: object) -> int | None:
    """Return the channel, from 0; None for null, and for what states no channel, such as `telephone` or `average`."""
    if isinstance(value, bool | dict) or (isinstance(value, str) and channel_of_text(value) is None):
        return None
    if value is None or (isinstance(value, NUMBERS) and value == value // 1 and 0 <= value <= MAX_CHANNEL):
        return None if value is None else int(value)
    raise BadUtterance("BAD_CHANNEL", json_type(value) if not isinstance(value, NUMBERS) else f"channel {value}")


PARSERS = {
    "audio_filepath": parse_path,
    "offset": parse_offset,
    "duration": parse_duration,
    "text": parse_text,
}
"""How each field with a column is parsed. Of several faults in a row, the first in this order is its reason."""

COLUMN_FIELDS = frozenset(PARSERS)

UNREFERENCED = PARSERS | {"text": parse_optional_text}


def resolve_path(folder: str, path: str) -> str:
    """Join a path, or that of the container of an entry, to its folder exactly as pathlib does, but faster.

    A URL stays as it is, and a relative path below the URL of a folder is one.
    """
    if path.startswith("./") or "//" in path or "/./" in path or path.endswith(("/", "/.")) or path in ("", "."):
        place = parse_place(path)
        container = resolve_container(folder, place.container)
        return path if place.kind and container == place.container else str(replace(place, container=container))
    if "://" in folder:
        return resolve_container(folder, path)
    return path if path[0] == "/" else f"{folder.rstrip('/')}/{path}"


def resolve_container(folder: str, path: str) -> str:
    if is_url(path):
        return path
    if is_url(folder) and not path.startswith("/"):
        return join_url(folder, str(PurePosixPath(path)))
    return joined(folder, path)


@lru_cache(1024)
def joined(folder: str, path: str) -> str:
    """Join paths; remembered, because many rows have the same container."""
    return str(Path(folder) / path)

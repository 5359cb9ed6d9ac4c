"""The lines of a NeMo manifest as rows: a line that is no utterance is a row with its reason."""

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from tasks.schema import UTTERANCE

MAX_LINE = 1 << 20  # bytes

Row = dict[str, Any]


class BadLine(Exception):
    """A line that is no utterance; the argument is the reason."""


def read(lines: Iterable[bytes], folder: Path) -> Iterator[Row | None]:
    """A row for each line, or nothing where the line is blank."""
    seen: set[bytes] = set()
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            yield None
            continue
        row = dict.fromkeys(UTTERANCE.names) | {"id": number}
        try:
            row |= utterance(line, folder)
        except BadLine as problem:
            row["reason"] = str(problem)
        if row["reason"] is None:
            twin = hashlib.blake2b(
                repr((row["path"], row["offset"], row["duration"])).encode(), digest_size=12
            ).digest()
            row["reason"] = "DUPLICATE_UTT" if twin in seen else None
            seen.add(twin)
        yield row


def utterance(line: bytes, folder: Path) -> Row:
    """The columns of one line; a line that is JSON keeps its fields even when it is no good utterance."""
    if len(line) > MAX_LINE:
        raise BadLine("LINE_TOO_LONG")
    try:
        fields = msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        raise BadLine("NOT_UTF8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine("NOT_UTF8" if "utf-8" in str(error).lower() else "BAD_JSON") from error
    if not isinstance(fields, dict):
        raise BadLine("BAD_JSON")
    row: Row = {"reason": None}
    given = {name: fields.pop(name, None) for name in ("audio_filepath", "offset", "duration", "text")}
    problems = []
    for name, reason in (("offset", "BAD_OFFSET"), ("duration", "BAD_DURATION")):
        row[name] = seconds(given[name])
        if row[name] is None and given[name] is not None:
            problems.append(reason)
    if isinstance(given["text"], str):
        row["text"] = given["text"]
    else:
        problems.append("BAD_TEXT")
    audio = given["audio_filepath"]
    if not isinstance(audio, str) or not audio.strip() or "\0" in audio:
        problems.insert(0, "NO_AUDIO_PATH")
    elif "://" in audio or audio.rstrip().endswith("|"):
        row["audio_filepath"] = audio
        problems.insert(0, "UNSUPPORTED_SCHEME")
    else:
        row["audio_filepath"] = audio
        row["path"] = str(folder / audio)
    fields |= {name: value for name, value in given.items() if row.get(name) is None and value is not None}
    row["fields"] = msgspec.json.encode(fields).decode()
    row["reason"] = problems[0] if problems else None
    return row


def seconds(value: object) -> float | None:
    """A length of time, if that is what it is."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    return None

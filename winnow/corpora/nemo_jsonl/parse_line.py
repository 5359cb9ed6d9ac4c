"""A line of a NeMo manifest as a row: a line that is no utterance is a row with its reason."""

from pathlib import Path
from typing import Any

import msgspec

from winnow.corpora.nemo_jsonl.line_reader import strip_line
from winnow.corpora.nemo_jsonl.strict_json import BadLine, decode_object, json_type
from winnow.parameters.redaction import redact_bytes, redact_text

NUMBERS = (int, float)
URL_PREFIXES = ("data:", "file:", "pipe:")  # other URLs have ://

Row = dict[str, Any]


def parse_line(line: bytes | None, folder: str, referenced: bool = True) -> Row:
    """The row of a line that is not blank; None is a line over the limit. `referenced`: it must have a text."""
    try:
        if line is None:
            raise BadLine("LINE_TOO_LONG", "not read")
        return parse_utterance(decode_object(strip_line(line)), folder, referenced)
    except BadLine as problem:
        return {"reason": problem.reason, "detail": problem.detail}


def parse_utterance(fields: dict[str, Any], folder: str, referenced: bool = True) -> Row:
    """The columns of a line's object; where one of ours is bad, what it holds is kept among the other fields."""
    row: Row = {"reason": None, "detail": None}
    given = {name: fields.pop(name, msgspec.UNSET) for name in READERS}
    for name, read in READERS.items() if referenced else UNREFERENCED.items():
        try:
            row[name] = read(given[name])
        except BadLine as problem:
            if row["reason"] is None:
                row |= {"reason": problem.reason, "detail": problem.detail}
            if given[name] not in (None, msgspec.UNSET):
                fields[name] = given[name]
    if "audio_filepath" in row:
        row["path"] = resolve_path(folder, row["audio_filepath"])
    elif row["reason"] == "UNSUPPORTED_SCHEME":
        row["audio_filepath"] = redact_text(fields.pop("audio_filepath"))
    row["fields"] = redact_bytes(msgspec.json.encode(fields)).decode()
    return row


def audio(value: object) -> str:
    if not isinstance(value, str):
        raise BadLine("NO_AUDIO_PATH", json_type(value))
    if not value.strip() or "\0" in value:
        raise BadLine("NO_AUDIO_PATH", "empty" if "\0" not in value else "a NUL in it")
    if value.lstrip().startswith("|") or value.rstrip().endswith("|"):
        raise BadLine("UNSUPPORTED_SCHEME", "a command")
    if "://" in value or value.lstrip().lower().startswith(URL_PREFIXES):
        raise BadLine("UNSUPPORTED_SCHEME", "a URL")
    return value


def offset(value: object) -> float | None:
    found = seconds(value, "BAD_OFFSET")
    if found is not None and found < 0:
        raise BadLine("BAD_OFFSET", f"{found} s")
    return found


def duration(value: object) -> float | None:
    found = seconds(value, "BAD_DURATION")
    if found is not None and found <= 0:
        raise BadLine("BAD_DURATION", f"{found} s")
    return found


def seconds(value: object, reason: str) -> float | None:
    """A finite number; null is unknown."""
    if value is None or value is msgspec.UNSET:
        return None
    if isinstance(value, bool) or not isinstance(value, NUMBERS):
        raise BadLine(reason, json_type(value))
    try:
        return float(value) + 0.0  # no -0.0
    except OverflowError:
        raise BadLine(reason, "a number beyond all measure") from None


def text(value: object) -> str:
    if not isinstance(value, str):
        raise BadLine("BAD_TEXT", json_type(value))
    return redact_text(value)


def text_if_any(value: object) -> str | None:
    return None if value is None or value is msgspec.UNSET else text(value)


READERS = {"audio_filepath": audio, "offset": offset, "duration": duration, "text": text}
"""How each of our columns is read, those first whose reason counts first."""

UNREFERENCED = READERS | {"text": text_if_any}


def resolve_path(folder: str, path: str) -> str:
    """Where a path leads from the folder; as pathlib spells it, but quicker."""
    if path.startswith("./") or "//" in path or "/./" in path or path.endswith(("/", "/.")) or path in ("", "."):
        return str(Path(folder) / path)
    return path if path[0] == "/" else f"{folder.rstrip('/')}/{path}"

"""Recognise what the lines of a text are if they are not JSON Lines with the expected fields."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from winnow.corpora.conversions import FROM_CUTS, FROM_PYTHON, from_table, jq, renamed_to, with_columns
from winnow.corpora.faults import BadUtterance
from winnow.corpora.strict_json import decode_line

MOST_LINES = 200  # of the beginning that are decoded

AUDIO_NAME = re.compile(rb"\S.*\.(wav|flac|ogg|opus|mp3|m4a|sph|aac|wma|webm)", re.IGNORECASE)
OPENING = re.compile(rb'[\[{]|\{\s*"\w+"\s*:\s*\[')
WRAPPED = re.compile(rb'\{\s*"(\w+)"\s*:\s*\[\s*\{')
DELIMITERS = "\t,;|"

Aliases = Mapping[str, tuple[str, ...]]
"""For each field that is needed, the names that it has elsewhere."""


class Form(NamedTuple):
    """What an input is, in words, and what to do with it. `name` is for programs."""

    name: str
    description: str
    remedy: str


def json_form(lines: list[bytes]) -> Form | None:
    """Recognise JSON that spans lines, or has several objects on a line."""
    first = lines[0].lstrip()
    if first.startswith(b"[") and (len(lines) == 1 or OPENING.fullmatch(first) or not first.endswith(b"]")):
        return Form("json-array", "a JSON array", jq(".[]"))
    spans_lines = OPENING.fullmatch(first) or (len(lines) == 1 and not objects(lines))
    if spans_lines and (wrapped := WRAPPED.match(b"\n".join(lines[:3]).lstrip())):
        return Form("json-object", "a JSON object with a list in it", jq(f".{wrapped[1].decode()}[]"))
    if OPENING.fullmatch(first) or (spans_lines and re.search(rb"\}\s*\{\s*\"", first)):
        return Form("json", "JSON without an object on each line", jq("."))
    return None


def lines_form(lines: list[bytes], fields: Aliases) -> Form | None:
    """Recognise JSON Lines with other fields."""
    rows = objects(lines)
    keys = dict.fromkeys(key for row in rows for key in row)
    if not rows or "audio_filepath" in keys:
        return other_fields(rows, keys, fields) if rows else None
    lists = [key for key, value in rows[0].items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(rows) == len(lines) == 1 and lists and lists[0].isidentifier() and "supervisions" not in keys:
        return Form("json-object", "a JSON object with a list in it", jq(f".{lists[0]}[]"))
    if "supervisions" in keys or {"recording", "start"} <= keys.keys():
        return Form("lhotse", "Lhotse cuts", FROM_CUTS)
    if "sources" in keys or {"recording_id", "start"} <= keys.keys():
        return Form("lhotse", "Lhotse recordings or supervisions", "combine both with lhotse cut simple")
    return other_fields(rows, keys, fields)


def objects(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the first lines that are objects."""
    rows = []
    for line, _ in zip(lines, range(MOST_LINES), strict=False):
        try:
            rows.append(decode_line(line)[0])
        except BadUtterance:
            continue
    return rows


def other_fields(rows: list[dict[str, Any]], keys: Mapping[str, Any], fields: Aliases) -> Form | None:
    """Recognise rows in which a needed field has another name, or which have no audio at all."""
    renamed = {name: first_of(aliases, keys) for name, aliases in fields.items() if name not in keys}
    missing = " and ".join(renamed)
    if not all(renamed.values()):
        if "audio_filepath" not in renamed:
            return None  # rows without a text say so themselves
        found = ", ".join(key for key in list(keys)[:8] if key.isidentifier())
        return Form("other-fields", f"rows without {missing}{f', but with {found}' if found else ''}", f"add {missing}")
    if not renamed:
        return None
    own = {name: f"{alias}{'.path' * is_file(rows, alias)}" for name, alias in renamed.items()}
    found = ", ".join(str(alias) for alias in renamed.values())
    converted = jq(" | ".join(f".{name} = .{alias}" for name, alias in own.items()))
    remedy = converted if of_transcripts(fields) else with_columns(own)
    return Form("other-fields", f"rows that have {found} instead of {missing}", remedy)


def of_transcripts(fields: Aliases) -> bool:
    """Tell whether these are the fields of transcripts, which have one form and no `--columns`."""
    return "pred_text" in fields


def first_of(aliases: tuple[str, ...], keys: Iterable[str]) -> str | None:
    return next((alias for alias in aliases if alias in keys), None)


def is_file(rows: list[dict[str, Any]], alias: str | None) -> bool:
    """Tell whether a field has objects with a path, as in Hugging Face datasets."""
    value = next((row[alias] for row in rows if alias and row.get(alias)), None)
    return isinstance(value, dict) and "path" in value


def text_form(lines: list[bytes], fields: Aliases) -> Form | None:
    """Recognise a text in which no line is an object."""
    first = lines[0].lstrip()
    if first.startswith(b"{'"):
        return Form("python", "a Python dictionary on each line, not JSON", FROM_PYTHON)
    if first.startswith(b'"{'):
        return Form("json-text", "JSON inside of a JSON string on each line", jq("fromjson"))
    if first.startswith(b"<"):
        return Form("markup", "HTML or XML", "is it the page of a login? Download the manifest itself")
    return None if first.startswith(b"{") else table_form(lines, fields)


def table_form(lines: list[bytes], fields: Aliases) -> Form | None:
    """Recognise tables, and Kaldi's lists."""
    for delimiter in DELIMITERS:
        header = [cell.strip('" ') for cell in lines[0].decode(errors="replace").split(delimiter)]
        own = {name: first_of((name, *aliases), header) for name, aliases in fields.items()}
        if len(header) > 1 and own["audio_filepath"]:
            kind = "tsv" if delimiter == "\t" else "csv"
            renamed = {name: column for name, column in own.items() if column and column != name}
            remedy = from_table(delimiter, renamed) if of_transcripts(fields) else renamed_to(f".{kind}")
            return Form(kind, f"a table ({kind.upper()})", remedy)
    first = lines[:3]
    if all(AUDIO_NAME.fullmatch(line) and len(line.split()) == 1 for line in first):
        return Form("list", "a list of audio files", jq("{audio_filepath: .}", "-Rc"))
    if all(len(line.split()) > 1 and (AUDIO_NAME.fullmatch(line) or line.endswith(b"|")) for line in first):
        return Form("kaldi", "Kaldi's wav.scp", "give the folder that it is in")
    counts = [{line.count(delimiter.encode()) for line in first} for delimiter in DELIMITERS]
    if len(first) > 1 and any(len(count) == 1 and count != {0} for count in counts):  # as many in each line
        return Form("table", "a table without audio_filepath in its first line", "name its columns there")
    return None

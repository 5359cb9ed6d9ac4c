"""Recognise what an input is if it is not JSON Lines with the expected fields, and say how to convert it.

Only the beginning of a file is read.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from winnow.corpora.conversions import (
    FROM_CUTS,
    FROM_KALDI,
    FROM_KALDI_SEGMENTS,
    FROM_PARQUET,
    FROM_PYTHON,
    from_table,
    iconv,
    jq,
    with_names,
)
from winnow.corpora.faults import BadUtterance
from winnow.corpora.line_reader import MAX_LINE, is_blank, strip_line
from winnow.corpora.strict_json import decode_object

HEAD = MAX_LINE + 2  # bytes; a first line without an end in them is not an utterance
MOST_LINES = 200  # of the beginning that are decoded

Aliases = Mapping[str, tuple[str, ...]]
"""For each field that is needed, the names that it has elsewhere."""

PATHS = (
    "audio_file",
    "audio_path",
    "wav_path",
    "wav_filename",
    "wav",
    "audio",
    "path",
    "file",
    "file_name",
    "filename",
)
TEXTS = ("sentence", "transcript", "transcription", "normalized_text", "raw_transcription")
MANIFEST: Aliases = {"audio_filepath": PATHS, "text": TEXTS}
UNREFERENCED_MANIFEST: Aliases = {"audio_filepath": PATHS}
TRANSCRIPTS: Aliases = {"audio_filepath": PATHS, "pred_text": ("hypothesis", "prediction", "hyp", *TEXTS, "text")}


class Form(NamedTuple):
    """What an input is, in words, and what to do with it. `name` is for programs."""

    name: str
    description: str
    remedy: str


ROWS = "write its rows as JSON, one on each line"
MAGIC = {
    b"\x1f\x8b": Form("gzip", "compressed by gzip", "gunzip -c OLD > NEW"),
    b"BZh": Form("bzip2", "compressed by bzip2", "bunzip2 -c OLD > NEW"),
    b"\xfd7zXZ\0": Form("xz", "compressed by xz", "xz -dc OLD > NEW"),
    b"\x28\xb5\x2f\xfd": Form("zstd", "compressed by zstd", "zstd -dc OLD > NEW"),
    b"PK\x03\x04": Form("zip", "a zip archive", "unzip it, and give the manifest that is in it"),
    b"PAR1": Form("parquet", "a Parquet file", FROM_PARQUET),
    b"ARROW1": Form("arrow", "an Arrow file", ROWS),
    b"SQLite format 3\0": Form("sqlite", "an SQLite database", ROWS),
    b"version https://git-lfs": Form("git-lfs", "a pointer of Git LFS, not the file itself", "run git lfs pull"),
    **dict.fromkeys(
        (b"RIFF", b"fLaC", b"OggS", b"ID3"),
        Form("audio", "an audio file, not a list of them", "write a line with its path as audio_filepath"),
    ),
    b"\xff\xfe\0\0": Form("utf-32", "UTF-32", iconv("UTF-32")),
    **dict.fromkeys((b"\xff\xfe", b"\xfe\xff"), Form("utf-16", "UTF-16", iconv("UTF-16"))),
}
"""Forms by their first bytes."""

AUDIO_NAME = re.compile(rb"\S.*\.(wav|flac|ogg|opus|mp3|m4a|sph|aac|wma|webm)", re.IGNORECASE)
OPENING = re.compile(rb'[\[{]|\{\s*"\w+"\s*:\s*\[')
WRAPPED = re.compile(rb'\{\s*"(\w+)"\s*:\s*\[\s*\{')
DELIMITERS = "\t,;|"


def detect_form(path: Path, fields: Aliases = MANIFEST) -> Form | None:
    """Return what the input is if it cannot be read as JSON Lines with these fields; None if it can.

    None as well where that cannot be told, and if there is neither a file nor a folder. Raises OSError.
    """
    if path.is_dir():
        form: Form | None = folder_form(path)
    elif path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD)
        form = file_form(head, fields, complete=len(head) < HEAD)
    else:
        return None
    stem = path.name.partition(".")[0] or "corpus"
    new = f"{stem}.jsonl" if path.name != f"{stem}.jsonl" else f"{stem}-lines.jsonl"
    return form and form._replace(remedy=with_names(form.remedy, path.name, new))


def describe(path: Path, form: Form, fields: Aliases) -> str:
    """Say in a sentence what an input is, what was expected, and what to do."""
    return f"{path}: {form.description}; expected a JSON object on each line with {' and '.join(fields)}: {form.remedy}"


def folder_form(path: Path) -> Form:
    names = {child.name for child in path.iterdir()}
    if "wav.scp" in names:
        command = FROM_KALDI_SEGMENTS if "segments" in names else FROM_KALDI
        return Form("kaldi", "a Kaldi data folder", f"in it, run {command}")
    manifests = sorted(name for name in names if name.endswith((".jsonl", ".json")))
    example = f", such as {shlex.quote(manifests[0])} in it" if manifests else ""
    return Form("folder", "a folder", f"give a file{example}")


def file_form(head: bytes, fields: Aliases, complete: bool) -> Form | None:
    """Return the form of a file that begins with `head`; `complete` tells whether that is all of it."""
    for magic, form in MAGIC.items():
        if head.startswith(magic):
            return form
    if head[257:262] == b"ustar":
        return Form("tar", "a tar archive", "extract it with tar -xf OLD, and give the manifest that is in it")
    if encoding := encoding_by_zeros(head):
        return Form("utf-16", "UTF-16", iconv(encoding))
    lines = [strip_line(line) for line in head.split(b"\n") if not is_blank(line)]
    if not lines:
        return Form("empty", "empty", "write one for each utterance") if complete else None
    if len(lines) == 1 and b"\r" in lines[0] and objects(map(strip_line, lines[0].split(b"\r"))):
        return Form("cr", "lines that end with a carriage return only", "tr '\\r' '\\n' < OLD > NEW")
    return json_form(lines) or lines_form(lines if complete else lines[:-1], fields) or text_form(lines, fields)


def encoding_by_zeros(head: bytes) -> str | None:
    """Recognise UTF-16 without a byte order mark by its zeros: every second byte of ASCII."""
    even, odd, half = head[::2].count(0), head[1::2].count(0), len(head) / 2
    if odd > 0.7 * half > 2 * even:
        return "UTF-16LE"
    return "UTF-16BE" if even > 0.7 * half > 2 * odd else None


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
            rows.append(decode_object(line)[0])
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
    steps = [f".{name} = .{alias}{'.path' * is_file(rows, alias)}" for name, alias in renamed.items()]
    if "duration" not in keys and "duration_ms" in keys:
        steps.append(".duration = .duration_ms / 1000")
    found = ", ".join(str(alias) for alias in renamed.values())
    return Form("other-fields", f"rows that have {found} instead of {missing}", jq(" | ".join(steps)))


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
            return Form(kind, f"a table ({kind.upper()})", from_table(delimiter, renamed))
    first = lines[:3]
    if all(AUDIO_NAME.fullmatch(line) and len(line.split()) == 1 for line in first):
        return Form("list", "a list of audio files", jq("{audio_filepath: .}", "-Rc"))
    if all(len(line.split()) > 1 and (AUDIO_NAME.fullmatch(line) or line.endswith(b"|")) for line in first):
        return Form("kaldi", "Kaldi's wav.scp", f"in its folder, run {FROM_KALDI}")
    if any(
        len(first) > 1 and len({line.count(d.encode()) for line in first}) == 1
        for d in DELIMITERS
        if d.encode() in first[0]
    ):
        return Form("table", "a table without audio_filepath in its first line", "name its columns there")
    return None

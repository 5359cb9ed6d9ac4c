"""Recognise what an input is if it is not JSON Lines with the expected fields, and say how to convert it.

Only the beginning of a file is read: its first bytes, then its lines (`winnow.corpora.text_forms`).
"""

import shlex
from pathlib import Path

from winnow.corpora.conversions import FROM_PARQUET, iconv, renamed_to, with_names
from winnow.corpora.line_reader import MAX_LINE, is_blank, strip_line
from winnow.corpora.text_forms import Aliases, Form, json_form, lines_form, objects, of_transcripts, text_form

HEAD = MAX_LINE + 2  # bytes; a first line without an end in them is not an utterance

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

SUFFIXES = {"gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst", "parquet": ".parquet", "arrow": ".arrow"}
"""Of forms that are read as they are, how names of files end that say so."""


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
    manifests = sorted(name for name in names if name.endswith((".jsonl", ".json")))
    example = f", such as {shlex.quote(manifests[0])} in it" if manifests else ""
    return Form("folder", "a folder", f"give a file{example}")


def file_form(head: bytes, fields: Aliases, complete: bool) -> Form | None:
    """Return the form of a file that begins with `head`; `complete` tells whether that is all of it."""
    for magic, form in MAGIC.items():
        if head.startswith(magic):
            suffix = None if of_transcripts(fields) else SUFFIXES.get(form.name)
            return form._replace(remedy=renamed_to(suffix)) if suffix else form
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

"""The recordings of a shard with what files beside them say: their text with rough times, and who speaks when.

A row names the files as NeMo's manifests do: `text_filepath` and `rttm_filepath`. Relative paths start where those of
audio do. Times count from the beginning of the audio file.
"""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import msgspec
import pyarrow as pa

from winnow.audio.remote.urls import is_url
from winnow.digests import sha256_of
from winnow.input_files import not_a_file
from winnow.schema import UTTERANCE, extend_schema
from winnow.segmenting.parts import Part
from winnow.segmenting.text_files.cues import BadTextFile, Cue
from winnow.segmenting.text_files.read import read_text, read_turns
from winnow.text.words import split_words

TEXT_FILE, TURNS_FILE = "text_filepath", "rttm_filepath"

CUES = pa.list_(pa.struct([("words", pa.int64()), ("start_ms", pa.int64()), ("end_ms", pa.int64())]))
TURNS = pa.list_(pa.struct([("start_ms", pa.int64()), ("end_ms", pa.int64()), ("speaker", pa.string())]))

RECORDING = extend_schema(
    UTTERANCE,
    ("cues", CUES),  # parts of the text in their order, with rough times from the beginning of the recording
    ("turns", TURNS),  # who speaks when, from the beginning of the recording; null if no file that is read says so
)


def attach_files(rows: pa.Table, folder: str, root: str | None, by_speaker: bool) -> pa.Table:
    """Return the recordings (RECORDING) with what their files say; a file that cannot be read is the row's reason.

    Files with turns are read with `by_speaker` only; then a row without turns has a reason, too.
    """
    found = [with_files(row, folder, root, by_speaker) for row in rows.to_pylist()]
    return pa.Table.from_pylist(found, RECORDING)


def with_files(row: Part, folder: str, root: str | None, by_speaker: bool) -> Part:
    """Return a recording with what its files say."""
    row = row | {"cues": None, "turns": None}
    if row["reason"] is not None:
        return row
    of = PurePosixPath(row["audio_filepath"] or "").stem, row.get("audio_channel")
    try:
        cues = read_named(file_of(row, TEXT_FILE, folder, root), read_text, *of)
        turns = read_named(file_of(row, TURNS_FILE, folder, root), read_turns, *of) if by_speaker else []
        spoken = turns or [cue for cue in cues if cue.speaker]
        if cues and split_words(row["text"] or ""):
            raise BadTextFile(None, f"the row has a text as well: expected text or {TEXT_FILE}")
        if by_speaker and not spoken:
            raise BadTextFile(None, f"nobody says who speaks: expected {TURNS_FILE}, or a {TEXT_FILE} with speakers")
    except BadTextFile as bad:
        return row | {"reason": "BAD_TEXT_FILE", "detail": str(bad)}
    begin = round(1000 * (row["offset"] or 0.0))
    if cues:
        row |= {"text": "\n".join(cue.text for cue in cues), "cues": [as_cue(cue, begin) for cue in cues]}
    return row | {"turns": [as_turn(cue, begin) for cue in spoken] or None}


def read_named(
    file: Path | None, read: Callable[[Path, str, int | None], list[Cue]], name: str, channel: int | None
) -> list[Cue]:
    """Read a file, if there is one; its name is added to what is wrong with it."""
    try:
        return read(file, name, channel) if file else []
    except BadTextFile as bad:
        raise BadTextFile(None, f"{file}: {bad}") from bad


def file_of(row: Part, field: str, folder: str, root: str | None) -> Path | None:
    """Return the file that a field names; raises BadTextFile for one that cannot be read."""
    value = msgspec.json.decode(row["fields"] or "{}").get(field)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise BadTextFile(None, f"{field}: expected the name of a file")
    if is_url(value) or is_url(folder):
        raise BadTextFile(None, f"{field}: {value}: expected a file on this machine")
    file = Path(folder, value)
    if root is not None and not file.resolve().is_relative_to(Path(root).resolve()):
        raise BadTextFile(None, f"{field}: {value}: outside the audio root")
    if problem := not_a_file(file):
        raise BadTextFile(None, f"{field}: {value}: {problem}")
    return file


def as_cue(cue: Cue, begin: int) -> dict[str, int | None]:
    start, end = (None if time is None else round(1000 * time) - begin for time in (cue.start, cue.end))
    return {"words": len(split_words(cue.text)), "start_ms": start, "end_ms": end}


def as_turn(cue: Cue, begin: int) -> dict[str, int | str | None]:
    start, end = (round(1000 * (time or 0.0)) - begin for time in (cue.start, cue.end))
    return {"start_ms": start, "end_ms": end, "speaker": cue.speaker}


def digests_of_files(rows: pa.Table, folder: str, root: str | None) -> dict[str, str | None]:
    """Return the sha256 of all files that rows name, by path; None for those that cannot be read."""
    return {str(file): digest_or_none(file) for file in sorted(set(files_of(rows, folder, root)))}


def files_of(rows: pa.Table, folder: str, root: str | None) -> Iterable[Path]:
    for row in rows.select(["fields"]).to_pylist():
        for field in (TEXT_FILE, TURNS_FILE):
            try:
                file = file_of(row, field, folder, root)
            except BadTextFile:
                continue
            if file is not None:
                yield file


def digest_or_none(file: Path) -> str | None:
    try:
        return sha256_of(file)
    except OSError:
        return None

"""LJ Speech, and corpora that are laid out like it: `metadata.csv` without a header, and audio in `wavs`."""

from collections.abc import Iterator
from pathlib import Path

from winnow.corpora.columns import renamed
from winnow.corpora.faults import BadUtterance
from winnow.corpora.forms import PATHS
from winnow.corpora.line_reader import MAX_LINE
from winnow.corpora.listing import ListedSource, faulty_line, line_of
from winnow.parameters.column_names import parse_columns

METADATA, AUDIO = "metadata.csv", "wavs"
FIELDS = ("utterance_id", "transcription", "normalized_transcription")


class LjSpeech(ListedSource):
    """A folder like LJ Speech's, or the `metadata.csv` in it: ID, transcription and perhaps its normalized form.

    Cells are separated by `|`, and quotes mean nothing. The text is the normalized transcription unless `--columns`
    names the other one.
    """

    form = "LJ Speech"

    @staticmethod
    def claims(location: str) -> bool:
        path = metadata_of(location)
        return path.name == METADATA and (path.parent / AUDIO).is_dir() and path.is_file() and has_no_header(path)

    def files(self) -> list[Path]:
        return [metadata_of(self.location)]

    def lines(self) -> Iterator[bytes]:
        columns = "" if "text" in parse_columns(self.columns) else f"text={FIELDS[-1]},"
        with metadata_of(self.location).open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
            while line := file.readline(MAX_LINE + 1):
                if cells := line.rstrip("\r\n").split("|") if line.strip() else []:
                    yield lj_line(cells, f"{columns}{self.columns}")


def lj_line(cells: list[str], columns: str) -> bytes:
    """Return the line of a row; one without a transcription, or with more cells than three, has the reason BAD_ROW."""
    fields: dict[str, object] = dict(zip(FIELDS, cells, strict=False))
    fields.setdefault(FIELDS[2], None)
    fields[FIELDS[2]] = fields[FIELDS[2]] or fields.get(FIELDS[1])
    if len(cells) not in (2, 3):
        return faulty_line(BadUtterance("BAD_ROW", f"{len(cells)} cells, expected 2 or 3"), {"cells": cells})
    try:
        return line_of({"audio_filepath": f"{AUDIO}/{cells[0]}.wav", **renamed(fields, columns)})
    except BadUtterance as fault:
        return faulty_line(fault, fields)


def metadata_of(location: str) -> Path:
    return Path(location) / METADATA if Path(location).is_dir() else Path(location)


def has_no_header(path: Path) -> bool:
    """Tell whether the first line of a table has cells, but no name of a column with audio."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        cells = file.readline(MAX_LINE).rstrip("\r\n").split("|")
    return len(cells) in (2, 3) and not {"audio_filepath", *PATHS} & set(cells)

"""Tables with a header: CSV and TSV, as Common Voice has them."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.urls import is_url, join_url
from winnow.corpora.columns import name_columns
from winnow.corpora.faults import BadUtterance
from winnow.corpora.line_reader import MAX_LINE
from winnow.corpora.listing import ListedSource, faulty_line, line_of
from winnow.corpora.remote_files import find_if_there
from winnow.corpora.utterance import COLUMN_FIELDS
from winnow.digests import short_digest
from winnow.errors import ManifestError
from winnow.text.number_form import finite_number

DELIMITERS = {".csv": ",;|\t", ".tsv": "\t"}
"""The suffixes of tables, and what their cells may be separated by."""

CLIPS = "clips"

NUMBERS = (COLUMN_FIELDS - {"audio_filepath", "text"}) | {"channel"}
"""Fields that are numbers, which a table can only hold as text."""


class Table(ListedSource):
    """A table, of which a row is an utterance; its number does not count the header. An empty cell is null."""

    form = "table"

    @staticmethod
    def claims(location: str) -> bool:
        return Path(location).suffix.lower() in DELIMITERS

    def files(self) -> list[Path]:
        return [Path(self.location)]

    def lines(self) -> Iterator[bytes]:
        csv.field_size_limit(MAX_LINE)
        with Path(self.location).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = self.read_rows(file)
            names = self.names(next(rows, []))
            audio, within = names.index("audio_filepath"), None
            for cells in rows:
                if isinstance(cells, BadUtterance):
                    yield faulty_line(cells, {})
                elif cells:
                    if len(cells) == len(names) and cells[audio] and "/" not in cells[audio]:
                        within = self.clips(cells[audio]) if within is None else within
                        cells[audio] = within + cells[audio]
                    yield table_line(names, cells)

    def clips(self, path: str) -> str:
        """Return the folder of Common Voice's audio if there is one and a file is not beside it; else nothing."""
        if is_url(self.folder):
            try:
                within = find_if_there(join_url(self.folder, f"{CLIPS}/{path}"))
                return f"{CLIPS}/" if within and not find_if_there(join_url(self.folder, path)) else ""
            except BadAudio as problem:
                raise ManifestError(f"{self.location}: cannot look for its audio: {problem.detail}") from problem
        folder = Path(self.folder)
        return f"{CLIPS}/" if (folder / CLIPS).is_dir() and not (folder / path).exists() else ""

    def key(self) -> str:
        if is_url(self.folder):
            return f"{super().key()}-{short_digest(self.folder)}"
        clips = (Path(self.folder) / CLIPS).is_dir()
        return f"{super().key()}-{CLIPS}" if clips else super().key()

    def names(self, header: list[str] | BadUtterance) -> list[str]:
        """Return the names of the columns; raises ManifestError if there is none with the path of the audio."""
        try:
            if isinstance(header, BadUtterance):
                raise ValueError(header.detail)
            names = name_columns(header, self.columns)
        except ValueError as error:
            raise ManifestError(f"{self.location}: {error}") from None
        if "audio_filepath" not in names:
            found = f"; there are {', '.join(header)}" if header else ""
            raise ManifestError(
                f"{self.location}: no column with the path of the audio{found}: name it, as in "
                "--columns audio_filepath=file"
            )
        return names

    def read_rows(self, file: IO[str]) -> Iterator[list[str] | BadUtterance]:
        """Yield the cells of each row, or why it has none."""
        delimiters = DELIMITERS[Path(self.location).suffix.lower()]
        start, head = file.tell(), file.readline()
        file.seek(start)
        delimiter = max(delimiters, key=head.count)
        if delimiter == "\t":
            rows = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        else:
            rows = csv.reader(file, delimiter=delimiter)
        while True:
            try:
                yield next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadUtterance("BAD_ROW", f"line {rows.line_num}: {error}")


def table_line(names: list[str], cells: list[str]) -> bytes:
    """Return the line of a row; one with more or fewer cells than the header has the reason BAD_ROW."""
    fields = {name: cell_value(name, cell) for name, cell in zip(names, cells, strict=False)}
    if len(cells) != len(names):
        fault = BadUtterance("BAD_ROW", f"{len(cells)} cells under {len(names)} columns")
        return faulty_line(fault, fields | {"cells": cells})
    return line_of(fields)


def cell_value(name: str, cell: str) -> str | float | None:
    """Return what a cell says; a number only where a field is one."""
    if not cell:
        return None
    number = finite_number(cell.strip()) if name in NUMBERS else None
    return cell if number is None else number

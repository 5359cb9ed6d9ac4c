"""Parquet files with audio in their cells, or with the paths of audio files."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from winnow.audio.parquet_cells import batch_rows, first_line, footer_checksum, leaf, parquet_cell, parquet_file
from winnow.audio.places import Place
from winnow.audio.safe_open import AudioFile, FileView, open_file
from winnow.corpora.columnar.rows import BATCH, TableRows, texts_of
from winnow.corpora.file_patterns import expand_files
from winnow.corpora.listing import ListedSource
from winnow.errors import ManifestError

log = logging.getLogger("winnow")

SUFFIXES = (".parquet", ".parq", ".pq")


class ParquetFiles(ListedSource):
    """A Parquet file, or all that a pattern such as `data/train-*.parquet` matches, in the order of their names."""

    form = "Parquet"

    @staticmethod
    def claims(location: str) -> bool:
        return location.lower().endswith(SUFFIXES) and "://" not in location and not Path(location).is_dir()

    def files(self) -> list[Path]:
        return expand_files(self.location)

    def lines(self) -> Iterator[bytes]:
        for path in self.files():
            yield from local_lines(path, self.columns)


def local_lines(path: Path, columns: str) -> Iterator[bytes]:
    """Yield the line of each row in a Parquet file. Raises ManifestError, or OSError if the disk fails."""
    with open_file(str(path), None) as file:
        yield from file_lines(file, str(path), columns)


def file_lines(file: AudioFile, container: str, columns: str) -> Iterator[bytes]:
    """Yield the line of each row in an open Parquet file, as `local_lines` does."""
    try:
        source = pa.PythonFile(FileView(file), mode="r")
        yield from parquet_lines(parquet_file, source, footer_checksum(file), container, columns)
    except ManifestError as error:
        raise file.error or error from error


def parquet_lines(
    open_table: Callable[[Any], pq.ParquetFile], source: Any, footer: int, container: str, columns: str
) -> Iterator[bytes]:
    """Yield the line of each row in a Parquet file that is open as `source`; audio is not read.

    Raises ManifestError with the number of rows before, if the file is corrupt, encrypted or has no audio.
    """
    row = 0
    try:
        parquet = open_table(source)
        rows = TableRows(parquet.schema_arrow, columns)
        if rows.left:
            log.info("%s: columns with bytes other than the audio are left out: %s", container, ", ".join(rows.left))
        for group in range(parquet.num_row_groups):
            audio = group_audio(parquet, rows, group, container, footer)
            for batch in parquet.iter_batches(BATCH, [group], rows.kept, use_threads=False):
                yield from rows.lines(batch, [next(audio) for _ in range(len(batch))])
                row += len(batch)
    except (ValueError, pa.ArrowException, OSError) as error:
        raise unreadable_table(container, row, error) from error


def group_audio(
    parquet: pq.ParquetFile, rows: TableRows, group: int, container: str, footer: int
) -> Iterator[Place | str | None]:
    """Yield where the audio of each row in a row group is: in a cell, else at a path; None if there is neither."""
    column = rows.audio.bytes
    filled = filled_cells(parquet, group, column) if column else iter(())
    for row, path in enumerate(paths(parquet, group, rows.audio.path)):
        if column and next(filled):
            yield parquet_cell(container, path, group, row, column, footer)
        else:
            yield path


def paths(parquet: pq.ParquetFile, group: int, column: str | None) -> Iterator[str | None]:
    """Yield the path of each row in a row group."""
    if column is None:
        yield from (None for _ in range(parquet.metadata.row_group(group).num_rows))
        return
    for batch in parquet.iter_batches(BATCH, [group], [column], use_threads=False):
        yield from texts_of(leaf(batch, column))


def filled_cells(parquet: pq.ParquetFile, group: int, column: str) -> Iterator[bool]:
    """Yield for each row of a row group whether its cell has audio.

    Statistics tell it if all have, or none; only else the column is read.
    """
    metadata = parquet.metadata.row_group(group)
    chunks = (metadata.column(index) for index in range(metadata.num_columns))
    chunk = next(chunk for chunk in chunks if chunk.path_in_schema == column)
    statistics = chunk.statistics
    nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
    if nulls in (0, metadata.num_rows):
        yield from (nulls == 0 for _ in range(metadata.num_rows))
        return
    for batch in parquet.iter_batches(batch_rows(parquet, group, column), [group], [column], use_threads=False):
        yield from pc.is_valid(leaf(batch, column)).to_pylist()


def unreadable_table(container: str, row: int, error: Exception) -> ManifestError:
    """Return the error of a table that cannot be read after its first rows, or whose columns do not fit."""
    if isinstance(error, OSError) and error.errno:
        return ManifestError(f"{container}: cannot read the table: {os.strerror(error.errno)}")
    if not isinstance(error, pa.ArrowException | OSError):
        return ManifestError(f"{container}: {error}")
    if "ncrypt" in str(error):
        return ManifestError(f"{container}: encrypted: decrypt it first ({first_line(error)})")
    place = f"after {row:,} rows" if row else "before its first row"
    return ManifestError(f"{container}: cut off or corrupt, cannot be read {place}: restore it ({first_line(error)})")

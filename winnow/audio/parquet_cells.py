"""Audio in the cells of a Parquet file.

A row group's cells are compressed together, so they are written once, uncompressed and one after another, to a file in
the cache, of which each is a range.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from winnow.audio.audio_cache import open_cached
from winnow.audio.measurements import BadAudio
from winnow.audio.places import Place
from winnow.audio.safe_open import AudioFile, FileView

READ_AHEAD = 2**20  # bytes of a column that are read at once
BATCH = 2**24  # bytes of audio that are decoded at once, if cells have about the same size
TAIL = struct.Struct("<I4s")  # the end of a Parquet file: the size of its footer, and its signature
ENTRY = struct.Struct("<qq")  # start and size of a cell; a size of NULL if it is null
COUNT = struct.Struct("<q")  # how many entries there are, at the end of the file
NULL = -1


def parquet_file(source: Any) -> pq.ParquetFile:
    """Open a Parquet file so that columns are read in small pieces. Raises ArrowException or OSError."""
    return pq.ParquetFile(source, buffer_size=READ_AHEAD, pre_buffer=False)


def footer_checksum(file: AudioFile) -> int:
    """Return the CRC of the footer, which describes every page and so tells the file from another; 0 if it has none."""
    return checksum_of(file.identity, file.descriptor, file.size)


@lru_cache(64)
def checksum_of(identity: str, descriptor: int, size: int) -> int:
    """Return the CRC of the footer of an open file; `identity` tells it from others with the same descriptor."""
    return footer_of(lambda length, start: os.pread(descriptor, length, start), size)


def footer_of(read_at: Callable[[int, int], bytes], size: int) -> int:
    """Return the CRC of the footer of a file of so many bytes, given how to read a length from a start on."""
    tail = read_at(TAIL.size, max(0, size - TAIL.size))
    if len(tail) < TAIL.size:
        return 0
    length, signature = TAIL.unpack(tail)
    footer = length + TAIL.size
    if signature != b"PAR1" or footer > size:
        return 0
    return zlib.crc32(read_at(footer, size - footer))


def parquet_cell(container: str, name: str | None, group: int, row: int, column: str, footer: int) -> Place:
    """Return the place of the cell in a column, at a row of a row group, each counted from 0."""
    facts = {"group": str(group), "row": str(row), "column": column, "footer": str(footer)}
    return Place(container, "parquet", name or "", facts)


def open_parquet_cell(file: AudioFile, place: Place) -> AudioFile:
    """Open the cell in the cache's copy of its row group, which is written first if there is none.

    Raises BadAudio if the footer is another than when the rows were listed, or if the cell cannot be read.
    """
    group, row, column = place.number("group"), place.number("row"), place.facts.get("column", "")
    if footer_checksum(file) != place.number("footer"):
        raise BadAudio("AUDIO_CHANGED", "the Parquet file was changed after its rows were listed")
    key = f"parquet {file.identity} {place.facts['footer']} {group} {column}"
    cells = open_cached(key, lambda to: write_cells(file, group, column, to))
    try:
        start, size = entry_of(cells, row)
        cells.narrow(start, size, os.path.basename(place.name))  # noqa: PTH119
        cells.identity = f"{file.identity}-{group}-{row}-{column}"
    except BaseException:
        cells.close()
        raise
    file.close()
    return cells


def write_cells(file: AudioFile, group: int, column: str, to: Path) -> None:
    """Write the cells of a row group one after another, and where each of them is.

    In a row group that is corrupt, these are the cells before what cannot be read. Raises OSError if the disk fails,
    and BadAudio if there is no such row group or column, or if it has no cell that can be read.
    """
    with to.open("wb") as target:
        try:
            copy_cells(read_cells(file, group, column), target)
        except (pa.ArrowException, OSError) as error:
            raise_if_disk_failed(file, error)
            target.truncate(target.seek(0))
            cells = readable_cells(file, group, column)
            if not copy_cells(cells, target):
                raise BadAudio("AUDIO_UNREADABLE", f"row group {group} is corrupt: {first_line(error)}") from error


def copy_cells(cells: Iterator[memoryview | None], target: IO[bytes]) -> int:
    """Write cells, where each of them is, and how many there are, which is returned."""
    entries: list[bytes] = []
    at = 0
    for cell in cells:
        entries.append(ENTRY.pack(at, NULL if cell is None else len(cell)))
        at += target.write(cell or b"")
    target.writelines(entries)
    target.write(COUNT.pack(len(entries)))
    return len(entries)


def readable_cells(file: AudioFile, group: int, column: str) -> Iterator[memoryview | None]:
    """Yield the cells before the first one that cannot be read."""
    try:
        yield from read_cells(file, group, column, batch=1)
    except (pa.ArrowException, OSError) as error:
        raise_if_disk_failed(file, error)


def raise_if_disk_failed(file: AudioFile, error: Exception) -> None:
    """Raise an error of the disk; Arrow's errors about what it read are OSErrors without a number."""
    if file.error or (isinstance(error, OSError) and error.errno):
        raise file.error or error


def read_cells(file: AudioFile, group: int, column: str, batch: int | None = None) -> Iterator[memoryview | None]:
    """Yield the cells of a binary column in a row group, a few of them in memory at a time."""
    parquet = parquet_file(pa.PythonFile(FileView(file), mode="r"))
    if group >= parquet.num_row_groups:
        raise BadAudio("NO_AUDIO_PATH", f"no row group {group}")
    rows = batch or batch_rows(parquet, group, column)
    for part in parquet.iter_batches(rows, [group], [column], use_threads=False):
        for cell in leaf(part, column):
            yield memoryview(cell.as_buffer()) if cell.is_valid else None


def batch_rows(parquet: pq.ParquetFile, group: int, column: str) -> int:
    """Return how many rows of a row group to decode at once."""
    metadata = parquet.metadata.row_group(group)
    for index in range(metadata.num_columns):
        chunk = metadata.column(index)
        if chunk.path_in_schema == column:
            return int(max(1, BATCH * metadata.num_rows // max(1, chunk.total_uncompressed_size)))
    raise BadAudio("NO_AUDIO_PATH", f"no column {column}")


def leaf(batch: pa.RecordBatch, column: str) -> pa.Array:
    """Return the values of a column; `audio.bytes` is a field of the struct `audio`."""
    if column in batch.schema.names:
        return batch.column(column)
    outer, _, inner = column.rpartition(".")
    cells = leaf(batch, outer)
    return cells.flatten()[cells.type.get_field_index(inner)]


def entry_of(cells: AudioFile, row: int) -> tuple[int, int]:
    """Return start and size of a row's cell. Raises BadAudio if it has none, or is null."""
    (count,) = COUNT.unpack(cells.read_at(COUNT.size, cells.size - COUNT.size))
    if row >= count:
        raise BadAudio("AUDIO_UNREADABLE", f"the row group is corrupt after {count} rows")
    start, size = ENTRY.unpack(cells.read_at(ENTRY.size, cells.size - COUNT.size - (count - row) * ENTRY.size))
    if size == NULL:
        raise BadAudio("AUDIO_MISSING", "the cell is null")
    return start, size


def first_line(error: BaseException) -> str:
    """Return the first line of what a library says."""
    return (str(error).splitlines() or [type(error).__name__])[0]

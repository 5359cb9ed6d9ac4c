"""Arrow files, and the folders of them that `save_to_disk` of Hugging Face's `datasets` writes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from winnow.audio.arrow_cells import arrow_cells
from winnow.audio.parquet_cells import leaf
from winnow.audio.places import Place
from winnow.audio.remote.stand_ins import content_path, url_of
from winnow.corpora.columnar.parquet import unreadable_table
from winnow.corpora.columnar.rows import TableRows, texts_of
from winnow.corpora.listing import ListedSource
from winnow.errors import ManifestError

FILE = b"ARROW1"  # how Arrow files begin that are not streams
STATE, SPLITS = "state.json", "dataset_dict.json"


class SavedDataset(ListedSource):
    """A saved dataset, or one split of several: `FOLDER/train`.

    Its Arrow files are not compressed, so that audio is read where it lies in them.
    """

    form = "saved Hugging Face dataset"

    @staticmethod
    def claims(location: str) -> bool:
        return any((Path(location) / name).is_file() for name in (STATE, SPLITS))

    def files(self) -> list[Path]:
        folder = Path(self.location)
        if not (folder / STATE).is_file():
            names = read_json(folder / SPLITS, "splits")
            raise ManifestError(f"{folder}: has the splits {', '.join(map(str, names))}: name one: {folder / names[0]}")
        return [folder / Path(file["filename"]).name for file in read_json(folder / STATE, "_data_files")]

    def lines(self) -> Iterator[bytes]:
        for path in self.files():
            yield from arrow_lines(path, self.columns)


class ArrowFile(ListedSource):
    """An Arrow file or stream, such as those in the cache of `datasets`."""

    form = "Arrow"

    @staticmethod
    def claims(location: str) -> bool:
        return location.lower().endswith((".arrow", ".feather")) and "://" not in location

    def files(self) -> list[Path]:
        return [Path(self.location)]

    def lines(self) -> Iterator[bytes]:
        return arrow_lines(Path(self.location), self.columns)


def read_json(path: Path, name: str) -> list[Any]:
    """Return a list in a JSON file. Raises ManifestError if there is none, or if it is empty."""
    try:
        found = json.loads(path.read_bytes())[name]
    except (OSError, ValueError, LookupError, TypeError):
        found = None
    if not found or not isinstance(found, list):
        raise ManifestError(f"{path}: not what save_to_disk of datasets writes: no list of {name}")
    return found


def arrow_lines(path: Path, columns: str) -> Iterator[bytes]:
    """Yield the line of each row in an Arrow stream; audio is not read.

    Raises ManifestError if the file is cut off, corrupt or compressed, or has no audio.
    """
    row = 0
    try:
        with pa.memory_map(str(content_path(path))) as mapped:
            base, size = (whole := mapped.read_buffer()).address, whole.size
            schema, batches = open_batches(whole)
            rows = TableRows(schema, columns)
            for batch in batches:
                audio = list(batch_audio(batch, rows, url_of(path) or str(path), base, size))
                yield from rows.lines(batch.select(rows.kept), audio)
                row += len(batch)
    except (ValueError, pa.ArrowException, OSError) as error:
        raise unreadable_table(str(path), row, error) from error


def open_batches(whole: pa.Buffer) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema and the batches of an Arrow file or stream, which refer to its own bytes."""
    if whole[: len(FILE)].to_pybytes() != FILE:
        stream = pa.ipc.open_stream(whole)
        return stream.schema, iter(stream)
    file = pa.ipc.open_file(whole)
    return file.schema, (file.get_batch(index) for index in range(file.num_record_batches))


def batch_audio(
    batch: pa.RecordBatch, rows: TableRows, container: str, base: int, size: int
) -> Iterator[Place | str | None]:
    """Yield where the audio of each row is: in a cell, else at a path; None if there is neither."""
    column = rows.audio
    names: list[str | None] = texts_of(leaf(batch, column.path)) if column.path else [None] * len(batch)
    if column.bytes is None:
        yield from names
        return
    cells = leaf(batch, column.bytes)
    values = cells.buffers()[2]
    if values is not None and values.size and not base <= values.address <= base + size:
        raise ValueError("an Arrow file that is compressed: save it again with save_to_disk of datasets")
    for place, path in zip(arrow_cells(cells, container, base, names), names, strict=True):
        yield place or path

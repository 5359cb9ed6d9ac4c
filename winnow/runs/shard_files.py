"""The Parquet files of shards. The name of a stage's file has the hash of its content, which is checked on reading."""

import hashlib
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from winnow.errors import OutputError
from winnow.runs.storage import put, read_file

HASHED_NAME = re.compile(r"\d{5}-([0-9a-f]{16})\.parquet")
"""The name of a file that a stage wrote: its shard, and the first digits of its sha256."""


def store_table(folder: Path, name: str, rows: pa.Table) -> Path:
    """Write the table to `<folder>/<name>-<sha256>.parquet`, with the first digits of the content's sha256.

    The file of an empty table has no row group: the library `datasets` fails on one without rows.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, rows.schema, compression="zstd", compression_level=3) as writer:
        if len(rows):
            writer.write_table(rows)
    content = sink.getvalue().to_pybytes()
    return put(folder / hashed_name(name, content), content)


def read_table(path: Path, **options: Any) -> pa.Table:
    """Read a Parquet file, local or in a store, with the options of pyarrow.parquet.read_table.

    Raises OutputError if it is a stage's file and not what the stage wrote.
    """
    return pq.read_table(io.BytesIO(read_verified(path)), **options)


def read_schema(path: Path) -> pa.Schema:
    """Read the schema of a Parquet file."""
    with path.open("rb") as file:
        return pq.read_schema(file)


def read_columns(path: Path, columns: Iterable[str]) -> pa.Table:
    """Read the columns that a small Parquet file has of these; twice as fast as read_table, which starts threads."""
    return pq.ParquetFile(pa.BufferReader(read_verified(path))).read(columns=sorted(columns), use_threads=False)


def read_verified(path: Path) -> bytes:
    """Read a file; raises OutputError if its name has a hash that its content does not have."""
    content = read_file(path)
    if not fits_name(path.name, hashlib.sha256(content).hexdigest):
        raise OutputError(f"{path}: altered since it was written: run the same command again, which writes it again")
    return content


def hashed_name(shard: str, content: bytes) -> str:
    """Return the name of a stage's file: the shard's number, and the first digits of the content's sha256."""
    return f"{shard}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"


def fits_name(name: str, sha256: Callable[[], str]) -> bool:
    """Tell whether a content may have this name: the name has no hash, or this one."""
    hashed = HASHED_NAME.fullmatch(name)
    return hashed is None or sha256().startswith(hashed[1])

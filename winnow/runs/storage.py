"""Files that appear whole or not at all, on local disks and in object stores.

A local file is written beside its place, synced and renamed; one that must be the first of its name is linked, which
fails where another is. Object stores do both by themselves: an object appears when it is complete, and `If-None-Match`
refuses a second one.
"""

import errno
import io
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from winnow.errors import DiskFull, OutputError

COMMIT_STEPS = ("drafted", "in place", "linked")
"""Where a commit may be cut off: its draft is written; it has its name; another's name did not stand in its way."""

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DRAFT = ".tmp-"


def commit_step(step: str, path: Path) -> None:
    """Called at every step of a commit, for tests that cut it off there."""


def location(text: str | Path) -> Path:
    """A local path, absolute, or an object store's (`s3://bucket/folder`), which has the same methods."""
    if "://" not in str(text):
        return Path(text).expanduser().absolute()
    from upath import UPath

    try:
        return cast(Path, UPath(str(text), use_listings_cache=False))
    except (ImportError, ValueError) as error:
        raise OutputError(f"{text}: no place that can be written to from here: {error}") from error


def is_local(path: Path) -> bool:
    return isinstance(path, Path)


def put(path: Path, content: bytes) -> Path:
    """Write the file, in the place of an older one."""
    with write_atomically(path) as file:
        file.write(content)
    return path


def put_if_absent(path: Path, content: bytes) -> bool:
    """Whether this was the first to write the file; another's is left as it is."""
    if not is_local(path):
        return _create(path, content)
    draft = put(_draft(path), content)
    try:
        with raise_if_disk_full(path.parent):
            os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)
    commit_step("linked", path)
    return True


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under `path` whole and durable when the block ends, or not at all."""
    if not is_local(path):
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with path.open("wb") as target:
                while block := file.read(2**24):
                    target.write(block)
        return
    draft = _draft(path)
    try:
        with raise_if_disk_full(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            commit_step("drafted", path)
            draft.replace(path)
            _sync(path.parent)
            commit_step("in place", path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


@contextmanager
def raise_if_disk_full(folder: Path) -> Iterator[None]:
    """Say of a disk without room that it has none."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull(f"{folder}: {error.strerror}: make room, then `winnow resume` goes on") from error
        raise


def read_table(path: Path, **options: Any) -> pa.Table:
    """A Parquet file's rows (see pyarrow's read_table for the options)."""
    return pq.read_table(io.BytesIO(path.read_bytes()), **options)


def read_schema(path: Path) -> pa.Schema:
    """The columns of a Parquet file."""
    with path.open("rb") as file:
        return pq.read_schema(file)


def read_columns(path: Path, columns: Iterable[str]) -> pa.Table:
    """Those of a small Parquet file's columns that it has: twice as fast as by read_table, which starts threads."""
    return pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(columns=sorted(columns), use_threads=False)


def find_drafts(folder: Path) -> list[Path]:
    """What writers that died left behind."""
    return sorted(folder.rglob(f"{DRAFT}*")) if is_local(folder) else []


def _draft(path: Path) -> Path:
    return path.with_name(f"{DRAFT}{uuid.uuid4().hex}")


def _create(path: Path, content: bytes) -> bool:
    """Put an object that must be new. After an error nobody knows whether it was; what is there now says so."""
    store: Any = path
    try:
        store.fs.pipe_file(store.path, content, mode="create")
    except FileExistsError:
        return False
    except OSError:
        if path.exists():
            return path.read_bytes() == content
        raise
    commit_step("linked", path)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

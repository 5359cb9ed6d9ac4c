"""Files that appear whole or not at all, on local disks and in object stores.

A local file is written as a draft beside its place, synced and renamed. A file that must be the first of its name is
linked instead, which fails if there is one. Object stores can do both: an object appears when it is complete, and
`If-None-Match` refuses to replace one.
"""

import errno
import io
import os
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from winnow.digests import sha256_of
from winnow.errors import DiskFull, OutputError
from winnow.parameters.redaction import redact_text

COMMIT_STEPS = ("drafted", "in place", "linked")
"""Where a crash may cut off a commit: after the draft is written, after it is renamed, after it is linked."""

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

S3_OPTIONS: dict[str, Any] = {"config_kwargs": {"retries": {"mode": "standard", "max_attempts": 3}}}
"""So that a store that cannot be reached is known to be so within half a minute: by default it takes minutes."""

DRAFT = ".tmp-"
"""How the name of a draft begins."""


def commit_step(step: str, path: Path) -> None:
    """Raise the audit event `winnow.commit` (see sys.addaudithook); the tests use it to cut off a commit at a step."""
    sys.audit("winnow.commit", step, str(path))


def location(text: str | Path) -> Path:
    """Return an absolute local path, or one in an object store (`s3://bucket/folder`) with the same methods."""
    if "://" not in str(text):
        return Path(text).expanduser().absolute()
    from upath import UPath

    if redact_text(str(text)) != str(text):
        raise OutputError(f"{redact_text(str(text))}: set credentials in the environment, not in the name of a folder")
    try:
        options = S3_OPTIONS if str(text).startswith(("s3://", "s3a://")) else {}
        return cast(Path, UPath(str(text), use_listings_cache=False, **options))
    except (ImportError, ValueError) as error:
        raise OutputError(f"{text}: cannot be opened as an object store: {error}") from error


def is_local(path: Path) -> bool:
    """Tell a local path from one in an object store."""
    return isinstance(path, Path)


def put(path: Path, content: bytes) -> Path:
    """Write the file, replacing an existing one; return its path."""
    with write_atomically(path) as file:
        file.write(content)
    return path


def put_if_absent(path: Path, content: bytes) -> bool:
    """Write the file unless it exists; return whether it was written."""
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
    """Open a file for writing that appears at `path`, whole and synced, when the block ends without an exception."""
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
    """Raise DiskFull instead of the system's error if the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull(f"{folder}: {error.strerror}: make room, then continue with `winnow resume`") from error
        raise


def read_table(path: Path, **options: Any) -> pa.Table:
    """Read a Parquet file, local or in a store, with the options of pyarrow.parquet.read_table."""
    return pq.read_table(io.BytesIO(path.read_bytes()), **options)


def read_schema(path: Path) -> pa.Schema:
    """Read the schema of a Parquet file."""
    with path.open("rb") as file:
        return pq.read_schema(file)


def read_columns(path: Path, columns: Iterable[str]) -> pa.Table:
    """Read the columns that a small Parquet file has of these; twice as fast as read_table, which starts threads."""
    return pq.ParquetFile(pa.BufferReader(path.read_bytes())).read(columns=sorted(columns), use_threads=False)


def find_drafts(folder: Path) -> list[Path]:
    """Find the drafts that writers left when they died."""
    return sorted(folder.rglob(f"{DRAFT}*")) if is_local(folder) else []


def sha256_if_exists(path: Path) -> str | None:
    """Return the sha256 of a file, or None if there is no such file."""
    try:
        return sha256_of(path)
    except FileNotFoundError:
        return None


def _draft(path: Path) -> Path:
    return path.with_name(f"{DRAFT}{uuid.uuid4().hex}")


def _create(path: Path, content: bytes) -> bool:
    """Create an object unless it exists; return whether it was created.

    After a lost answer it is unknown whether the object was created; its content tells.
    """
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

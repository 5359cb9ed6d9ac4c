"""Files that appear whole or not at all, on local disks and in object stores.

A local file is written as a draft beside its place, synced and renamed. A file that must be the first of its name is
linked instead, which fails if there is one. Object stores can do both: an object appears when it is complete, and
`If-None-Match` refuses to replace one.
"""

import errno
import os
import re
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from winnow.digests import sha256_of
from winnow.errors import DISK_FULL_ERRORS, DiskFull, OutputError
from winnow.input_files import expand_home
from winnow.parameters.redaction import redact_text

COMMIT_STEPS = ("drafted", "in place", "linked")
"""Where a crash may cut off a commit: after the draft is written, after it is renamed, after it is linked."""

NOT_REGULAR = errno.ENOTSUP
"""The number of the error for a pipe, a device or a socket in the place of a file."""

RETRIES = {"mode": "standard", "total_max_attempts": 2}

S3_OPTIONS: dict[str, Any] = {"config_kwargs": {"retries": RETRIES, "read_timeout": 10}}
"""Fail after seconds if a store cannot be reached, and after 100 s if it accepts connections but never answers."""

DRAFT = re.compile(r"\.tmp-[0-9a-f]{32}")
"""The name of a draft."""


def commit_step(step: str, path: Path) -> None:
    """Raise the audit event `winnow.commit` (see sys.addaudithook); the tests use it to cut off a commit at a step."""
    sys.audit("winnow.commit", step, str(path))


def location(text: str | Path) -> Path:
    """Return an absolute local path, or one in an object store (`s3://bucket/folder`) with the same methods."""
    if "://" not in str(text):
        return expand_home(text).absolute()
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


def check_writable(folder: Path) -> None:
    """Raise OSError unless a file can be created in the folder, or in its nearest existing parent; leaves nothing."""
    with tempfile.TemporaryFile(dir=nearest_existing(folder)):
        pass


def nearest_existing(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def put(path: Path, content: bytes) -> Path:
    """Write the file, replacing an existing one; return its path."""
    with write_atomically(path) as file:
        file.write(content)
    return path


def put_if_absent(path: Path, content: bytes) -> bool:
    """Write the file unless it exists; return whether it was written."""
    if not is_local(path):
        return _create(path, content)
    try:
        with write_atomically(path, replace=False) as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


@contextmanager
def write_atomically(path: Path, replace: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears at `path`, whole and synced, when the block ends without an exception.

    Without `replace`, which needs a local path, raises FileExistsError at the end if there is such a file. Raises
    OutputError if a folder is where the file belongs, or a file where its folder belongs.
    """
    if not is_local(path):
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with path.open("wb") as target:
                while block := file.read(2**24):
                    target.write(block)
        return
    draft = draft_of(path)
    try:
        with raise_if_disk_full(path.parent):
            _make_folder(path.parent)
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            commit_step("drafted", path)
            if replace:
                draft.replace(path)
            else:
                os.link(draft, path)
                draft.unlink()
            sync(path.parent)
            commit_step("in place" if replace else "linked", path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(error, IsADirectoryError):
            raise OutputError(f"{path}: a folder, where a file belongs: move it elsewhere") from error
        raise


def remove(path: Path) -> None:
    """Remove a file, if there is one; raises OutputError if a folder is in its place."""
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError as error:
        raise OutputError(f"{path}: a folder, where a file belongs: move it elsewhere") from error


@contextmanager
def raise_if_disk_full(folder: Path) -> Iterator[None]:
    """Raise DiskFull instead of the system's error if the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull(f"{folder}: {error.strerror}: make room, then run the same command again") from error
        raise


def read_file(path: Path) -> bytes:
    """Read a file; raises OSError also for a pipe, a device or a socket, whose reader may wait for ever."""
    require_regular(path)
    return path.read_bytes()


def require_regular(path: Path) -> None:
    """Raise OSError for what exists on a local disk and is neither a regular file nor a folder."""
    if is_local(path) and path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(NOT_REGULAR, "not a regular file", str(path))


def is_draft(path: Path) -> bool:
    """Tell whether this is a file that a writer left when it died, by its name, which no one else gives."""
    return DRAFT.fullmatch(path.name) is not None and is_plain_file(path)


def is_plain_file(path: Path) -> bool:
    """Tell whether this is a regular file, and not a link to one."""
    return path.is_file() and not (is_local(path) and path.is_symlink())


def sha256_if_exists(path: Path) -> str | None:
    """Return the sha256 of a file, or None if there is no such file, or none that can be read."""
    try:
        require_regular(path)
        return sha256_of(path)
    except OSError as error:
        if not cannot_be_read(path, error):
            raise
        return None


def cannot_be_read(path: Path, error: OSError) -> bool:
    """Tell whether an error means that there is no file that could be read, now or later."""
    final: tuple[type[OSError], ...] = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
    return isinstance(error, final) or (
        is_local(path) and (isinstance(error, PermissionError) or error.errno in (NOT_REGULAR, errno.ELOOP))
    )


def draft_of(path: Path) -> Path:
    """Return a new name for a draft of a file."""
    return path.with_name(f".tmp-{uuid.uuid4().hex}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{folder}: a file, where a folder belongs: move it elsewhere") from error


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


def sync(path: Path) -> None:
    """Have the system write a local file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

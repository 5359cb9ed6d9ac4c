"""Private copies of checkpoints: what is loaded is made here, from files that passed their preflight.

A copy lies under the sha256 of the file that it was made from. A note beside it records its own sha256, so that a copy
that was damaged or changed since is made again.
"""

import fcntl
import hashlib
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from winnow.cache import cache_root
from winnow.digests import sha256_of
from winnow.errors import CheckpointError

DRAFTS = ".making-"
"""How the names of folders with unfinished copies begin."""


class CopyNote(BaseModel, frozen=True):
    """The sha256 of a copy, the digest of the rules that its original passed, and the family of its model."""

    sha256: str
    rules: str
    family: str


def cache_folder() -> Path:
    """Return the folder of the copies."""
    return cache_root() / "checkpoints"


def private_folder(folder: Path | None = None) -> Path:
    """Return the folder of the copies, created if necessary; raises CheckpointError if others may write to it."""
    folder = folder or cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise CheckpointError(
            f"{folder}: other users can write to it; run chmod 700 on it, or set WINNOW_CACHE to another folder"
        )
    return folder


def copy_path(sha256: str) -> Path:
    """Return where the copy of the checkpoint with this sha256 lies, or is to lie."""
    return private_folder() / f"{sha256}.nemo"


def read_note(copy: Path, rules: str) -> CopyNote | None:
    """Return the note of a copy that is intact and was made by these rules; None if there is no such copy."""
    path = copy.with_suffix(".json")
    try:
        if not (is_private(path) and is_private(copy)):
            return None
        note = CopyNote.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return note if note.rules == rules and sha256_of(copy) == note.sha256 else None


def is_private(path: Path) -> bool:
    """Tell whether the path is a file that belongs to this user, and that nobody else can write to."""
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def publish_copy(draft: Path, copy: Path, rules: str, family: str) -> None:
    """Move a finished copy to its place and write its note; what a crash leaves does not match its note."""
    note = CopyNote(sha256=sha256_of(draft), rules=rules, family=family)
    note_draft = draft.with_suffix(".json")
    note_draft.write_text(note.model_dump_json())
    for source, target in (draft, copy), (note_draft, copy.with_suffix(".json")):
        source.chmod(0o600)
        source.replace(target)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder beside the copies for the time of the block, in one process at a time.

    Folders that processes left when they were killed are removed.
    """
    folder = private_folder()
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some disks cannot lock
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for left in folder.glob(f"{DRAFTS}*"):
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=DRAFTS, dir=folder) as scratch:
            yield Path(scratch)
    finally:
        os.close(descriptor)


def checkpoint_digest(path: Path, model_name: str) -> str:
    """Return the file's sha256; raises CheckpointError if it cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise CheckpointError(f"{model_name}: cannot be read ({error.strerror})") from error


def read_with_digest(path: Path, model_name: str, sha256: str) -> bytes:
    """Return the file's content; raises CheckpointError if its sha256 is another, since it was replaced meanwhile."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{model_name}: cannot be read ({error.strerror})") from error
    if (actual := hashlib.sha256(content).hexdigest()) != sha256:
        raise CheckpointError(
            f"{model_name}: changed during the run: its sha256 was {sha256}, now {actual}: restore it, or choose "
            "another output"
        )
    return content


class DigestReader(io.RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, file: io.FileIO) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self.file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:count])
        return count


@contextmanager
def open_verified(path: Path, model_name: str, sha256: str) -> "Iterator[io.BufferedReader[Any]]":
    """Open a file to be read once, in order; raises CheckpointError if the bytes that were read have another sha256."""
    with path.open("rb", buffering=0) as file:
        raw = DigestReader(file)
        reader = io.BufferedReader(raw, 2**20)
        try:
            yield reader
        except Exception:
            check_digest(reader, raw, model_name, sha256)
            raise
        check_digest(reader, raw, model_name, sha256)


def check_digest(reader: "io.BufferedReader[Any]", raw: DigestReader, model_name: str, sha256: str) -> None:
    """Read the file to its end and compare its sha256."""
    while reader.read(2**20):
        pass
    if (digest := raw.digest.hexdigest()) != sha256:
        raise CheckpointError(f"{model_name}: checksum mismatch: expected sha256 {sha256}, got {digest}")

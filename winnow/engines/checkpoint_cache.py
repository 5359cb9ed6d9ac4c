"""Private copies of checkpoints by their sha256, so that the file that was examined is the file that is loaded."""

import hashlib
import os
from pathlib import Path

from winnow.errors import CheckpointError
from winnow.runs.storage import write_atomically


def cache_folder() -> Path:
    """Where the copies are (WINNOW_CACHE, XDG_CACHE_HOME)."""
    cache = os.environ.get("WINNOW_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "winnow")
    return Path(cache).expanduser() / "checkpoints"


def private_folder(folder: Path | None = None) -> Path:
    """The folder of the copies, which nobody else may write to: what lies in it is taken for what was examined."""
    folder = folder or cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise CheckpointError(f"{folder}: others may write to it; make it yours alone, or set WINNOW_CACHE to another")
    return folder


def sha256_of(path: Path, name: str | None = None) -> str:
    """The file's sha256, in hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{name or path}: cannot be read ({error.strerror})") from error


def private_copy(path: Path, name: str, sha256: str) -> Path:
    """The copy of the file, made if it is not there, or not what it was."""
    try:
        copy = private_folder() / f"{sha256}{path.suffix}"
        if not copy.is_file() or sha256_of(copy) != sha256:
            copy_verified(copy, path, name, sha256)
    except OSError as error:
        size = path.stat().st_size / 2**30
        raise CheckpointError(
            f"{name}: no private copy can be made of it ({error}): set WINNOW_CACHE to a folder of yours with "
            f"{size:.1f} GiB to spare, and as much again the first time"
        ) from error
    return copy


def copy_verified(copy: Path, path: Path, name: str, sha256: str) -> None:
    found = hashlib.sha256()
    with write_atomically(copy) as draft, path.open("rb") as file:
        while piece := file.read(2**20):
            found.update(piece)
            draft.write(piece)
        if found.hexdigest() != sha256:
            raise CheckpointError(
                f"{name}: its sha256 is {found.hexdigest()} and was to be {sha256}: not the same file"
            )

"""Private copies of checkpoints by their sha256: the file that passed the preflight is the file that is loaded."""

import hashlib
import os
from pathlib import Path

from winnow.digests import sha256_of
from winnow.errors import CheckpointError
from winnow.runs.storage import write_atomically


def cache_folder() -> Path:
    """Return the folder of the copies (WINNOW_CACHE, XDG_CACHE_HOME)."""
    cache = os.environ.get("WINNOW_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "winnow")
    return Path(cache).expanduser() / "checkpoints"


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


def private_copy(path: Path, model_name: str, sha256: str) -> Path:
    """Return the private copy of the file with this sha256, copied again if it is missing or damaged."""
    try:
        copy = private_folder() / f"{sha256}{path.suffix}"
        if not copy.is_file() or sha256_of(copy) != sha256:
            copy_verified(path, copy, model_name, sha256)
    except OSError as error:
        size = path.stat().st_size / 2**30
        raise CheckpointError(
            f"{model_name}: cannot be copied into the private cache ({error}): set WINNOW_CACHE to a folder of yours "
            f"with {2 * size:.1f} GiB free, half of it for the time of the preflight"
        ) from error
    return copy


def copy_verified(path: Path, copy: Path, model_name: str, sha256: str) -> None:
    """Copy the file; raises CheckpointError, and leaves no copy, if its sha256 is another."""
    digest = hashlib.sha256()
    with write_atomically(copy) as draft, path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
            draft.write(block)
        if digest.hexdigest() != sha256:
            raise CheckpointError(
                f"{model_name}: checksum mismatch: expected sha256 {sha256}, got {digest.hexdigest()}"
            )

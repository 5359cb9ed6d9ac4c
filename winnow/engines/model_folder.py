"""Folders that hold a model: the digest over the files that are read, and what they contain."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from winnow.digests import sha256_of
from winnow.engines.checkpoint_cache import read_with_digest
from winnow.errors import CheckpointError


def file_digests(folder: Path, files: Iterable[str], name: str) -> dict[str, str]:
    """Return the sha256 of each file of a model; raises CheckpointError if one cannot be read."""
    try:
        return {file: sha256_of(folder / file) for file in files}
    except OSError as error:
        raise CheckpointError(f"{name}: cannot be read: {error.strerror}") from error


def digest_of(files: dict[str, str]) -> str:
    """Return one sha256 for the digests of all files, as `sha256sum FILES | sha256sum` prints it."""
    return hashlib.sha256("".join(f"{sha256}  {file}\n" for file, sha256 in sorted(files.items())).encode()).hexdigest()


def verified_digests(folder: Path, files: Iterable[str], name: str, sha256: str) -> dict[str, str]:
    """Return the sha256 of each file; raises CheckpointError unless all together are what the digest was made from."""
    digests = file_digests(folder, files, name)
    if digest_of(digests) != sha256:
        raise CheckpointError(f"{name}: checksum mismatch: expected sha256 {sha256}, got {digest_of(digests)}")
    return digests


def read_files(folder: Path, files: Iterable[str], name: str, sha256: str) -> dict[str, bytes]:
    """Return the content of a model's files; raises CheckpointError unless it is what the digest was made from."""
    digests = verified_digests(folder, files, name, sha256)
    return {file: read_with_digest(folder / file, name, expected) for file, expected in digests.items()}

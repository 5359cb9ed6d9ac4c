"""Digests of files."""

import hashlib
from pathlib import Path

PIN_PREFIX = "@sha256:"
"""What joins a model's name and the sha256 of the only file that it may mean."""


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal digits; raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_digest(*texts: str) -> str:
    """Return 32 hexadecimal digits that stand for texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]

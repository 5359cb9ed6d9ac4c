"""Folders with a converted Whisper model: their files, the digest over all of them, and what kind of model it is."""

import hashlib
import json
from pathlib import Path

from winnow.digests import sha256_of
from winnow.engines.checkpoint_cache import read_with_digest
from winnow.errors import CheckpointError

REQUIRED = ("config.json", "model.bin", "tokenizer.json")
OPTIONAL = ("preprocessor_config.json", "vocabulary.json", "vocabulary.txt")
FILES = (*REQUIRED, *OPTIONAL)
"""The files that are read; they hold numbers and texts, and no code."""

MAX_CONFIG = 2**20  # bytes
ENGLISH_END = 50_256  # the token that ends a text in models of English alone; it is 50,257 in others


def check_folder(folder: Path, name: str) -> None:
    """Raise CheckpointError unless the folder has the files of a model; none is opened."""
    if not folder.is_dir():
        raise CheckpointError(f"{name}: no such folder")
    if missing := [file for file in REQUIRED if not (folder / file).is_file()]:
        raise CheckpointError(
            f"{name}: not a Whisper model for CTranslate2, because {', '.join(missing)} is missing: convert one with "
            "ct2-transformers-converter, and have it copy tokenizer.json and preprocessor_config.json"
        )


def file_digests(folder: Path, name: str) -> dict[str, str]:
    """Return the sha256 of each file of a model; raises CheckpointError if one cannot be read."""
    check_folder(folder, name)
    try:
        return {file: sha256_of(folder / file) for file in FILES if (folder / file).is_file()}
    except OSError as error:
        raise CheckpointError(f"{name}: cannot be read: {error.strerror}") from error


def digest_of(files: dict[str, str]) -> str:
    """Return one sha256 for the digests of all files, as `sha256sum FILES | sha256sum` prints it."""
    return hashlib.sha256("".join(f"{sha256}  {file}\n" for file, sha256 in sorted(files.items())).encode()).hexdigest()


def read_files(folder: Path, name: str, sha256: str) -> dict[str, bytes]:
    """Return the content of a model's files; raises CheckpointError unless it is what the digest was made from."""
    digests = file_digests(folder, name)
    if digest_of(digests) != sha256:
        raise CheckpointError(f"{name}: checksum mismatch: expected sha256 {sha256}, got {digest_of(digests)}")
    return {file: read_with_digest(folder / file, name, expected) for file, expected in digests.items()}


def is_multilingual(folder: Path, name: str) -> bool:
    """Tell from its configuration whether a model knows several languages, by the token that ends a text."""
    try:
        with (folder / "config.json").open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG))
        return int(max(config["suppress_ids_begin"])) > ENGLISH_END
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{name}: config.json is not that of a Whisper model: {error!r}") from error

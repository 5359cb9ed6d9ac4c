"""Folders with a converted Whisper model: their files, and what kind of model it is."""

import json
from pathlib import Path

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


def is_multilingual(folder: Path, name: str) -> bool:
    """Tell from its configuration whether a model knows several languages, by the token that ends a text."""
    try:
        with (folder / "config.json").open("rb") as file:
            config = json.loads(file.read(MAX_CONFIG))
        return int(max(config["suppress_ids_begin"])) > ENGLISH_END
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{name}: config.json is not that of a Whisper model: {error!r}") from error

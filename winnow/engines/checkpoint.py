"""A checkpoint on this machine, and how its name pins it."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from winnow.errors import CheckpointError

PIN_PREFIX = "@sha256:"

Family = Literal["ctc", "transducer", "hybrid", "prompted transducer", "prompted hybrid", "multitask", "readings"]
"""How the engine reads a model (winnow/models/resolve.py)."""

HYBRID: set[Family] = {"hybrid", "prompted hybrid"}

TRANSDUCERS: set[Family] = {"transducer", "prompted transducer", *HYBRID}

PROMPTED: set[Family] = {"prompted transducer", "prompted hybrid", "multitask"}
"""Models that are told the language."""


class Checkpoint(BaseModel, frozen=True):
    """A checkpoint on this machine: the name that was asked for (a file's from its root), its family and its sha256.

    `path` is a private copy, which was examined; `pinned` whether the name said which file it must be.
    """

    name: str
    path: Path
    family: Family
    sha256: str
    pinned: bool = True


def split_pin(name: str) -> tuple[str, str | None]:
    """A name without its pin, and the pin: a sha256 in hexadecimal digits."""
    place, found, pin = name.partition(PIN_PREFIX)
    if found and (place.endswith(".jsonl") or not re.fullmatch("[0-9a-fA-F]{64}", pin)):
        raise CheckpointError(
            f"{name}: a checkpoint's pin is {PIN_PREFIX} and 64 hexadecimal digits (sha256sum {place})"
        )
    return place, pin.lower() or None

"""Pins: what comes after the name of a model and says which file the name means, `@sha256:` and the file's digest."""

import re

from winnow.digests import PIN_PREFIX
from winnow.errors import CheckpointError

PINNED = re.compile(rf"(?P<name>.*){PIN_PREFIX}(?P<pin>[^/.]*)", re.DOTALL)
"""A pinned name; what has a slash or a suffix after the prefix is the path of a file below a folder of such a name."""


def cut_pin(model_name: str) -> tuple[str, str]:
    """Split a model's name from its pin as it is written; the pin is empty if there is none."""
    pinned = PINNED.fullmatch(model_name)
    return (pinned["name"], model_name[len(pinned["name"]) :]) if pinned else (model_name, "")


def without_pin(model_name: str) -> str:
    """Return a model's name without its pin."""
    return cut_pin(model_name)[0]


def split_pin(model_name: str) -> tuple[str, str | None]:
    """Split a model's name from its sha256, which is in lower-case hexadecimal digits, or None.

    Raises CheckpointError for a pin that is not a sha256.
    """
    name, pin = cut_pin(model_name)
    if pin and not re.fullmatch("[0-9a-fA-F]{64}", pin.removeprefix(PIN_PREFIX)):
        raise CheckpointError(
            f"{model_name}: invalid pin: expected {PIN_PREFIX} and 64 hexadecimal digits (sha256sum {name})"
        )
    return name, pin.removeprefix(PIN_PREFIX).lower() or None

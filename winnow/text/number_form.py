"""Numbers that people write into rules and manifests."""

import re
from math import isfinite

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def finite_number(text: str) -> float | None:
    """Return a number in ASCII digits, such as `3`, `.5` or `1e-3`; None for any other text, also `inf` and `nan`."""
    return number if NUMBER.fullmatch(text) and isfinite(number := float(text)) else None

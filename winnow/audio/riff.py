"""WAV and AIFF without decoding them: where another file begins."""

import os
from typing import Literal

from winnow.audio.safe_open import TrackedFile

BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RIFX": "big", b"FORM": "big"}


def riff_appended(file: TrackedFile, start: int = 0) -> int | None:
    """Return the byte at which another WAV or AIFF was appended to the one that begins at a byte, if there is one."""
    head = os.pread(file.fileno(), 8, start)
    order = BYTE_ORDERS.get(head[:4])
    if order is None:
        return None
    size = int.from_bytes(head[4:], order)
    end = start + 8 + size
    for place in {end, end + size % 2}:
        if os.pread(file.fileno(), 4, place) == head[:4]:
            return place
    return None

"""WAV and AIFF without decoding them: where another file begins."""

from collections.abc import Iterator
from itertools import chain
from typing import Literal

from winnow.audio.safe_open import AudioFile

BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RIFX": "big", b"FORM": "big"}
MAX_CHUNKS = 1_000


def riff_appended(file: AudioFile, start: int = 0) -> int | None:
    """Return the byte at which another WAV or AIFF was appended to the one that begins at a byte, if there is one."""
    head = file.read_at(8, start)
    order = BYTE_ORDERS.get(head[:4])
    if order is None:
        return None
    boundaries = chain(
        chunk_ends(file, start, order), chunk_ends(file, start + 12, order)
    )  # the first size may be wrong
    return next((place for place in boundaries if file.read_at(4, place) == head[:4]), None)


def chunk_ends(file: AudioFile, start: int, order: Literal["little", "big"]) -> Iterator[int]:
    """Yield where each chunk ends, from the one that begins at a byte on, with and without the byte that pads it."""
    for _ in range(MAX_CHUNKS):
        header = file.read_at(8, start)
        if len(header) < 8:
            return
        size = int.from_bytes(header[4:], order)
        start += 8 + size
        yield start
        start += size % 2
        yield start

"""MP4 (M4A, MOV) without decoding it: whether its tables state what it can hold, and where another file begins."""

import re
from collections.abc import Iterator

from winnow.audio.measurements import BadAudio
from winnow.audio.safe_open import AudioFile

MAX_TABLES = 2**26  # bytes of a box with tables; ten hours of audio need 10 MB
MAX_BOXES = 100_000
SAMPLE_COUNTS = re.compile(rb"stsz\0{4}(?!\0{4}).{4}(.{4})|trun.{4}(.{4})", re.DOTALL)
"""Tables that can state any number of samples (packets) in a few bytes; FFmpeg lists each of them."""


def check_mp4(file: AudioFile, start: int = 0) -> int | None:
    """Return the byte at which another MP4 was appended, if there is one.

    Raises BadAudio if a table states more samples than the file has bytes, or is compressed and cannot be examined:
    FFmpeg would fill the memory with a list of them.
    """
    size = file.size
    for at, kind, length in boxes(file, start, size):
        if kind == b"ftyp" and at > start:
            return at
        if kind in (b"moov", b"moof"):
            if length > MAX_TABLES:
                raise BadAudio("AUDIO_UNREADABLE", f"tables of {length} bytes")
            tables = file.read_at(length, at)
            if b"cmov" in tables:
                raise BadAudio("AUDIO_UNREADABLE", "compressed tables")
            for table in SAMPLE_COUNTS.finditer(tables):
                count = int.from_bytes(next(filter(None, table.groups())), "big")
                if count > size:
                    raise BadAudio("AUDIO_UNREADABLE", f"a table of {count} samples in a file of {size} bytes")
    return None


def boxes(file: AudioFile, start: int, size: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield the start, kind and length of each box of the file itself."""
    for _ in range(MAX_BOXES):
        header = file.read_at(16, start)
        if len(header) < 8:
            return
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        length = min(length, size - start) if length else size - start
        if length < 8:
            return
        yield start, kind, length
        start += length

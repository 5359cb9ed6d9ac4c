"""Read a file line by line in bounded memory: a line over the limit is never held whole."""

import codecs
from collections.abc import Callable, Iterator
from typing import IO

MAX_LINE = 1 << 20  # bytes
BLOCK = 1 << 18  # bytes; small enough that what is computed from a block stays in the processor's cache

Blocks = Iterator[tuple[bytes, int]]


def read_blocks(file: IO[bytes], limit: int, block: int) -> Blocks:
    """Yield blocks of whole lines with their size in bytes; of a last line over the limit only the beginning."""
    while lines := file.read(block):
        lines += (last := file.readline(limit + 1))
        size = len(lines)
        if len(last) > limit and not last.endswith(b"\n"):
            size += sum(map(len, rest_of_line(file.readline)))
        yield lines, size


def rest_of_line(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the rest of a line in pieces."""
    piece = b""
    while not piece.endswith(b"\n") and (piece := readline(BLOCK)):
        yield piece


def read_lines(readline: Callable[[int], bytes], limit: int = MAX_LINE) -> Iterator[bytes | None]:
    """Yield the lines one by one; None for a line over the limit."""
    while line := readline(limit + 1):
        if len(line) > limit and not line.endswith(b"\n"):
            for _ in rest_of_line(readline):
                pass
            yield None
        else:
            yield line


def strip_line(line: bytes) -> bytes:
    """Return the line without its end and its byte order mark, which any line has where manifests were concatenated."""
    return line.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")


def is_blank(line: bytes) -> bool:
    return not strip_line(line).strip()

"""A file line by line, in bounded memory: of a line over the limit no more than its beginning is ever held."""

import codecs
from collections.abc import Callable, Iterator
from typing import IO

MAX_LINE = 1 << 20  # bytes
BLOCK = 1 << 18  # bytes; what is made of a block should stay in the processor's cache

Blocks = Iterator[tuple[bytes, int]]


def read_blocks(file: IO[bytes], limit: int, block: int) -> Blocks:
    """The lines in turn, some at a time, with how many bytes they are; of a line over the limit only the beginning."""
    while some := file.read(block):
        some += (last := file.readline(limit + 1))
        size = len(some)
        if len(last) > limit and not last.endswith(b"\n"):
            size += sum(map(len, rest_of_line(file.readline)))
        yield some, size


def rest_of_line(readline: Callable[[int], bytes]) -> Iterator[bytes]:
    """What is left of a line, in pieces."""
    piece = b""
    while not piece.endswith(b"\n") and (piece := readline(BLOCK)):
        yield piece


def read_lines(readline: Callable[[int], bytes], limit: int = MAX_LINE) -> Iterator[bytes | None]:
    """The lines one by one; None is one over the limit, which is never held whole."""
    while line := readline(limit + 1):
        if len(line) > limit and not line.endswith(b"\n"):
            for _ in rest_of_line(readline):
                pass
            yield None
        else:
            yield line


def strip_line(line: bytes) -> bytes:
    """The line without its end, and without the byte order mark that any line may have where manifests were joined."""
    return line.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")


def is_blank(line: bytes) -> bool:
    return not strip_line(line).strip()

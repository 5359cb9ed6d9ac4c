"""Decode of each line no more than decides which shard it is in, and hash it to find duplicates."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from winnow.audio.file_names import path_of_url
from winnow.corpora.faults import BadUtterance
from winnow.corpora.line_reader import is_blank, strip_line
from winnow.corpora.mending import parse_or_mend
from winnow.corpora.strict_json import constants_as_null
from winnow.corpora.utterance import PARSERS, resolve_path

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64).view(np.int64)  # odd; xxHash's

Integers = NDArray[np.int64]


class Glance(msgspec.Struct, frozen=True, gc=False):
    """The fields of a line that decide which shard it is in; all others are skipped."""

    audio_filepath: str = ""
    offset: float | None = 0.0
    duration: float | None = None


class BadlyWritten(msgspec.Struct, frozen=True):
    """The same fields of any type, in lines that may have to be mended."""

    audio_filepath: Any = None
    offset: Any = None
    duration: Any = None


EMPTY_GLANCE = Glance()
decoder = msgspec.json.Decoder(Glance)
lenient_decoder = msgspec.json.Decoder(BadlyWritten)


def glance_block(block: bytes, breaks: Integers, limit: int) -> tuple[list[Glance], list[int]]:
    """Decode the glance of each line in a block, and return the indices of blank lines."""
    if len(block) <= limit and one_object_per_line(block, breaks):
        for decode in (decoder.decode_lines, glance_lines):
            if rows := decode_block(block, decode, lines=len(breaks) + (not block.endswith(b"\n"))):
                return rows, []
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    blank = [i for i, line in enumerate(lines) if len(line) <= limit and is_blank(line)]
    return [glance_line(line, limit) for line in lines], blank


def decode_block(block: bytes, decode: Callable[[bytes], list[Glance]], lines: int) -> list[Glance]:
    """Decode all lines at once; return nothing where that is not possible."""
    try:
        rows = decode(block)
    except UNDECODABLE:
        return []
    return rows if len(rows) == lines else []


def one_object_per_line(block: bytes, breaks: Integers) -> bool:
    """Tell whether each line begins and ends like an object.

    Then, if as many objects are decoded as there are lines, each line is one. The decoder alone would take two objects
    on a line for two lines, and one over two lines for one.
    """
    letters = np.frombuffer(block, np.uint8)
    inner = breaks[:-1] if block.endswith(b"\n") else breaks
    return block.startswith(b"{") and bool(
        (letters[inner - 1] == ord("}")).all() and (letters[inner + 1] == ord("{")).all()
    )


def glance_lines(block: bytes) -> list[Glance]:
    """Decode lines that may have to be mended."""
    return [mended_glance(row) for row in lenient_decoder.decode_lines(constants_as_null(block))]


def glance_line(line: bytes, limit: int) -> Glance:
    if len(line) <= limit:
        line = strip_line(line)
        with suppress(*UNDECODABLE):
            return decoder.decode(line)
        with suppress(*UNDECODABLE):
            return mended_glance(lenient_decoder.decode(constants_as_null(line)))
    return EMPTY_GLANCE


def mended_glance(row: BadlyWritten) -> Glance:
    """Return the glance of a line whose values may have to be mended; an empty one if it is not an utterance."""
    values: list[Any] = []
    for name in Glance.__struct_fields__:
        try:
            values.append(parse_or_mend(name, getattr(row, name), PARSERS[name], []))
        except BadUtterance:
            return EMPTY_GLANCE
    return Glance(*values)


def hash_utterances(rows: list[Glance], durations: NDArray[np.float64], folder: str) -> Integers:
    """Hash the path, offset and duration of each line."""
    offsets = np.array([row.offset for row in rows], float)
    offsets[np.isnan(offsets)] = 0.0
    paths = canonical_paths([row.audio_filepath for row in rows], folder)
    hashes = np.fromiter(map(hash, paths), np.int64, len(rows))
    for number, factor in zip((offsets, durations), FACTORS, strict=True):
        hashes ^= (number + 0.0).view(np.int64) * factor  # + 0.0 since there is a -0.0
    return hashes


def canonical_paths(paths: list[str], folder: str) -> list[str]:
    """Return the paths in a spelling that is the same for the same file, below `folder` if possible."""
    prefix = f"{folder.rstrip('/')}/"
    joined = "/\n".join(["", *paths, ""])
    letters = np.frombuffer(joined.encode(), np.uint8)  # numpy, since str.find takes half as long as decoding
    slash, dot = letters == ord("/"), letters == ord(".")
    not_canonical = slash[1:] & (slash[:-1] | dot[:-1])
    if not not_canonical.any() and f"\n{prefix}" not in joined and "://" not in folder:
        return paths
    return [resolve_path(folder, path_of_url(path) or path).removeprefix(prefix) for path in paths]


NOT_AN_UTTERANCE_HASH = int(hash_utterances([EMPTY_GLANCE], np.array([np.nan]), "")[0])

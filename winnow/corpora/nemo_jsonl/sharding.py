"""Find where the shards of a manifest begin and end.

One pass decodes path, offset and duration of each line, builds no rows, and keeps eight bytes per line.
"""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from winnow.corpora.nemo_jsonl.line_reader import BLOCK, MAX_LINE, Blocks, is_blank, read_blocks, strip_line
from winnow.corpora.utterance import resolve_path

UNKNOWN_SECONDS = 10.0  # assumed if a duration is not stated, or too short to be transcribed
MIN_SECONDS = 0.1
MAX_SHARDS = 1_000  # the most tasks of a kind in a run that Prefect's server keeps up with
MAX_SECONDS = 1e9  # longer durations count as this, so that sums stay exact enough

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64).view(np.int64)  # odd; xxHash's

Integers = NDArray[np.int64]


class Slice(NamedTuple):
    """Whole lines of a manifest: the bytes from `start` to `end`, the lines from `first` on."""

    start: int
    end: int
    first: int
    lines: int
    blank: int
    seconds: float
    xxh3: str


class Mark(NamedTuple):
    """The end of a line: the bytes, lines, blank lines and seconds of audio up to it."""

    bytes: int = 0
    lines: int = 0
    blank: int = 0
    seconds: float = 0.0


class Glance(msgspec.Struct, frozen=True, gc=False):
    """The fields of a line that decide which shard it is in; all others are skipped."""

    audio_filepath: str = ""
    offset: float | None = 0.0
    duration: float | None = None


EMPTY_GLANCE = Glance()
decoder = msgspec.json.Decoder(Glance)


def cut_shards(
    manifest: Path, folder: str, hours: float, limit: int = MAX_LINE, block: int = BLOCK, most: int = MAX_SHARDS
) -> tuple[list[Slice], "array[int]"]:
    """Split the manifest into slices of about `hours` of audio; also return a hash of each line's utterance.

    If that were more than `most` slices, each is twice as long, or four times, and so on. Equal utterances have equal
    hashes, but not vice versa. Hashes differ between processes.
    """
    hashes = array("q")
    with manifest.open("rb") as file:
        marks = thin_marks(shard_ends(read_blocks(file, limit, block), folder, hours * 3600, hashes, limit), most)
        slices = [slice_between(file, begin, end) for begin, end in pairwise(marks) if begin != end]
    return slices, hashes


def thin_marks(marks: Iterator[Mark], most: int) -> list[Mark]:
    """Keep every mark, or every second, fourth and so on, for at most `most` slices; the first and last are kept."""
    kept, last, step = [next(marks)], Mark(), 1
    for number, last in enumerate((mark for mark in marks if mark != last), 1):
        if len(kept) > most:
            kept, step = kept[::2], 2 * step
        if number % step == 0:
            kept.append(last)
    return kept if kept[-1] == last else [*kept, last]


def slice_between(file: IO[bytes], begin: Mark, end: Mark) -> Slice:
    lines, blank, seconds = end.lines - begin.lines, end.blank - begin.blank, end.seconds - begin.seconds
    xxh3 = hash_bytes(file, begin.bytes, end.bytes)
    return Slice(begin.bytes, end.bytes, begin.lines + 1, lines, blank, seconds, xxh3)


def shard_ends(parts: Blocks, folder: str, seconds: float, hashes: "array[int]", limit: int) -> Iterator[Mark]:
    """Yield the marks between slices, from the start of the manifest to its end."""
    yield (mark := Mark())
    filled = 0.0
    for block, size in parts:
        breaks = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        rows, blank = glance_block(block, breaks, limit)
        durations = np.array([row.duration for row in rows], float)  # None becomes nan
        hashes.frombytes(hash_utterances(rows, durations, folder).tobytes())
        total = np.cumsum(line_seconds(durations, blank))
        cuts, filled = cut_points(total, filled, max(seconds, MIN_SECONDS))
        for n in sorted({*cuts, len(rows)}):
            stop = size if n == len(rows) else int(breaks[n - 1]) + 1
            seconds_here = mark.seconds + float(total[n - 1])
            reached = Mark(mark.bytes + stop, mark.lines + n, mark.blank + bisect_left(blank, n), seconds_here)
            if n in cuts:
                yield reached
        mark = reached
    yield mark


def glance_block(block: bytes, breaks: Integers, limit: int) -> tuple[list[Glance], list[int]]:
    """Decode the glance of each line in a block, and return the indices of blank lines."""
    try:
        if len(block) <= limit and one_object_per_line(block, breaks):
            rows = decoder.decode_lines(block)
            if len(rows) == len(breaks) + (not block.endswith(b"\n")):
                return rows, []
    except UNDECODABLE:
        pass
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    blank = [i for i, line in enumerate(lines) if len(line) <= limit and is_blank(line)]
    return [glance_line(line, limit) for line in lines], blank


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


def glance_line(line: bytes, limit: int) -> Glance:
    try:
        return decoder.decode(strip_line(line)) if len(line) <= limit else EMPTY_GLANCE
    except UNDECODABLE:
        return EMPTY_GLANCE


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
    if not not_canonical.any() and f"\n{prefix}" not in joined:
        return paths
    return [resolve_path(folder, path).removeprefix(prefix) for path in paths]


NOT_AN_UTTERANCE_HASH = int(hash_utterances([EMPTY_GLANCE], np.array([np.nan]), "")[0])


def line_seconds(durations: NDArray[np.float64], blank: list[int]) -> NDArray[np.float64]:
    """Return the seconds that each line counts for."""
    seconds = np.where(durations >= MIN_SECONDS, durations, UNKNOWN_SECONDS)
    seconds[blank] = 0
    return np.minimum(seconds, MAX_SECONDS)


def cut_points(total: NDArray[np.float64], filled: float, most: float) -> tuple[list[int], float]:
    """Return after how many lines each slice is full, and the seconds in the incomplete last one.

    `total` are cumulative seconds by line, `filled` those of earlier lines in the first slice, `most` those of a slice.
    """
    start, cuts = -filled, []
    while (index := int(np.searchsorted(total, start + most))) < len(total):
        cuts.append(index + 1)
        start = float(total[index])
    return cuts, float(total[-1]) - start


def hash_bytes(file: IO[bytes], start: int, end: int) -> str:
    """Return the xxh3 of a range of the file, without moving its position."""
    digest = xxhash.xxh3_128()
    while start < end and (piece := os.pread(file.fileno(), min(BLOCK, end - start), start)):
        digest.update(piece)
        start += len(piece)
    return digest.hexdigest()

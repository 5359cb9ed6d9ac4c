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

import numpy as np
import xxhash
from numpy.typing import NDArray

from winnow.corpora.line_reader import BLOCK, MAX_LINE, Blocks, read_blocks
from winnow.corpora.nemo_jsonl.glance import glance_block, hash_utterances

UNKNOWN_SECONDS = 10.0  # assumed if a duration is not stated, or too short to be transcribed
MIN_SECONDS = 0.1
MAX_SHARDS = 1_000  # the most tasks of a kind in a run that Prefect's server keeps up with
MAX_SECONDS = 1e9  # longer durations count as this, so that sums stay exact enough


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

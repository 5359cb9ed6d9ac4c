"""Where a manifest's shards begin and end, without a row being built.

One pass looks at each line for its path, offset and duration only; what it keeps of a line is eight bytes.
"""

import hashlib
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tasks.lines import placed
from tasks.linewise import BLOCK, MAX_LINE, Blocks, bare, blocks, is_blank

UNKNOWN_SECONDS = 10.0  # what an utterance counts for if its duration is unknown, or too short to be heard
HEARD_SECONDS = 0.1
MOST_SECONDS = 1e9  # more than this counts as this, so that sums stay exact enough

CHANGED = "{}: changed while the run read it: put it back as it was, or choose another output"
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BadManifest(Exception):
    """The manifest as a whole cannot be worked on."""

    exit_code = 2


class Slice(NamedTuple):
    """Whole lines of a manifest: the bytes from `start` to `end`, the lines from `first` on."""

    start: int
    end: int
    first: int
    lines: int
    blank: int
    sha256: str


class Mark(NamedTuple):
    """A line's end: how many bytes, lines and blank lines there are up to it."""

    bytes: int = 0
    lines: int = 0
    blank: int = 0


class Glance(msgspec.Struct, frozen=True, gc=False):
    """What of a line decides where it goes; its other fields are skipped."""

    audio_filepath: str = ""
    offset: float | None = 0.0
    duration: float | None = None


NOTHING = Glance()
glance = msgspec.json.Decoder(Glance).decode


def cut(
    manifest: Path, folder: str, hours: float, limit: int = MAX_LINE, block: int = BLOCK
) -> tuple[list[Slice], "array[int]"]:
    """The manifest in slices of about so many hours of audio, and a hash of each line's utterance.

    Utterances that are the same have the same hash, but not the other way round, and only in this process.
    """
    hashes = array("q")
    with manifest.open("rb") as file:
        marks = pairwise(ends(blocks(file, limit, block), folder, hours * 3600, hashes, limit))
        slices = [between(file, a, b) for a, b in marks if a != b]
    return slices, hashes


def between(file: IO[bytes], a: Mark, b: Mark) -> Slice:
    sha256 = sha256_of(file, a.bytes, b.bytes)
    return Slice(a.bytes, b.bytes, a.lines + 1, b.lines - a.lines, b.blank - a.blank, sha256)


def ends(parts: Blocks, folder: str, seconds: float, hashes: "array[int]", limit: int) -> Iterator[Mark]:
    """The marks between slices, the manifest's two ends among them."""
    yield (mark := Mark())
    filled = 0.0
    for lines, size in parts:
        rows, blank = glances(lines, size, limit)
        hashes.frombytes(np.fromiter(map(hash, alike(rows, folder)), np.int64, len(rows)).tobytes())
        cuts, filled = full(weights(rows, blank), filled, max(seconds, HEARD_SECONDS))
        if cuts:
            before = list(accumulate(map(len, lines)))
            for n in cuts:
                stop = size if n == len(lines) else before[n - 1] + n
                yield Mark(mark.bytes + stop, mark.lines + n, mark.blank + bisect_left(blank, n))
        mark = Mark(mark.bytes + size, mark.lines + len(lines), mark.blank + len(blank))
    yield mark


def glances(lines: list[bytes], size: int, limit: int) -> tuple[list[Glance], list[int]]:
    """A glance at each line, and which of them are blank."""
    try:
        if size <= limit or max(map(len, lines)) <= limit:
            return list(map(glance, lines)), []
    except UNDECODABLE:
        pass
    blank = [i for i, line in enumerate(lines) if len(line) <= limit and is_blank(line)]
    return [glance_at(line, limit) for line in lines], blank


def glance_at(line: bytes, limit: int) -> Glance:
    try:
        return glance(bare(line)) if len(line) <= limit else NOTHING
    except UNDECODABLE:
        return NOTHING


def alike(rows: list[Glance], folder: str) -> list[Glance]:
    """The glances, spelled such that those of the same place in the same file are the same."""
    prefix = f"{folder.rstrip('/')}/"
    paths = "/\n".join(["", *[row.audio_filepath for row in rows], ""])
    letters = np.frombuffer(paths.encode(), np.uint8)  # numpy, since str.find takes half as long as decoding
    slash, dot = letters == ord("/"), letters == ord(".")
    odd = slash[1:] & (slash[:-1] | dot[:-1])
    if not odd.any() and f"\n{prefix}" not in paths and None not in [row.offset for row in rows]:
        return rows
    places = [placed(folder, row.audio_filepath).removeprefix(prefix) for row in rows]
    return [Glance(place, row.offset or 0.0, row.duration) for place, row in zip(places, rows, strict=True)]


def weights(rows: list[Glance], blank: list[int]) -> NDArray[np.float64]:
    """The seconds that each line counts for."""
    seconds = np.array([row.duration for row in rows], float)  # None becomes nan
    seconds[~(seconds >= HEARD_SECONDS)] = UNKNOWN_SECONDS
    seconds[blank] = 0
    np.minimum(seconds, MOST_SECONDS, out=seconds)
    return seconds


def full(seconds: NDArray[np.float64], filled: float, most: float) -> tuple[list[int], float]:
    """After how many lines a slice is full, each time, and how far the last one is filled."""
    total = np.cumsum(seconds)
    done, cuts = -filled, []
    while (at := int(np.searchsorted(total, done + most))) < len(total):
        cuts.append(at + 1)
        done = float(total[at])
    return cuts, float(total[-1]) - done


def sha256_of(file: IO[bytes], start: int, end: int) -> str:
    """The sha256 of some of the file's bytes; where it is being read does not change."""
    found = hashlib.sha256()
    while start < end and (piece := os.pread(file.fileno(), min(1 << 20, end - start), start)):
        found.update(piece)
        start += len(piece)
    return found.hexdigest()

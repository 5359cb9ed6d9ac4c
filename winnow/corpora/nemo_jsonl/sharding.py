"""Where a manifest's shards begin and end, without a row being built.

One pass looks at each line for its path, offset and duration only; what it keeps of a line is eight bytes.
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

UNKNOWN_SECONDS = 10.0  # what an utterance counts for if its duration is unknown, or too short to be heard
MIN_SECONDS = 0.1
MAX_SHARDS = 1_000  # Prefect's server keeps up with so many tasks of a kind in a run
MAX_SECONDS = 1e9  # more than this counts as this, so that sums stay exact enough

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
    """A line's end: how many bytes, lines, blank lines and seconds of audio there are up to it."""

    bytes: int = 0
    lines: int = 0
    blank: int = 0
    seconds: float = 0.0


class Glance(msgspec.Struct, frozen=True, gc=False):
    """What of a line decides where it goes; its other fields are skipped."""

    audio_filepath: str = ""
    offset: float | None = 0.0
    duration: float | None = None


EMPTY_GLANCE = Glance()
decoder = msgspec.json.Decoder(Glance)


def cut_shards(
    manifest: Path, folder: str, hours: float, limit: int = MAX_LINE, block: int = BLOCK, most: int = MAX_SHARDS
) -> tuple[list[Slice], "array[int]"]:
    """The manifest in slices of about so many hours of audio, and a hash of each line's utterance.

    Where that would be more than `most` slices, each is twice as long, or four times, and so on. Utterances that are
    the same have the same hash, but not the other way round, and only in this process.
    """
    hashes = array("q")
    with manifest.open("rb") as file:
        marks = thin_marks(shard_ends(read_blocks(file, limit, block), folder, hours * 3600, hashes, limit), most)
        slices = [slice_between(file, a, b) for a, b in pairwise(marks) if a != b]
    return slices, hashes


def thin_marks(marks: Iterator[Mark], most: int) -> list[Mark]:
    """Every mark, or every second, fourth and so on, so that there are no more than `most` slices; the ends always."""
    kept, last, step = [next(marks)], Mark(), 1
    for number, last in enumerate((mark for mark in marks if mark != last), 1):
        if len(kept) > most:
            kept, step = kept[::2], 2 * step
        if number % step == 0:
            kept.append(last)
    return kept if kept[-1] == last else [*kept, last]


def slice_between(file: IO[bytes], a: Mark, b: Mark) -> Slice:
    xxh3 = hash_bytes(file, a.bytes, b.bytes)
    return Slice(a.bytes, b.bytes, a.lines + 1, b.lines - a.lines, b.blank - a.blank, b.seconds - a.seconds, xxh3)


def shard_ends(parts: Blocks, folder: str, seconds: float, hashes: "array[int]", limit: int) -> Iterator[Mark]:
    """The marks between slices, the manifest's two ends among them."""
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
    """A glance at each line, and which of them are blank."""
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
    """Whether each line begins and ends as an object does; if there are as many of them as lines, each line is one.

    The decoder of lines would take two objects on a line for two lines, and one over two lines for one.
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
    """A hash of each line's utterance: its place, offset and duration."""
    offsets = np.array([row.offset for row in rows], float)
    offsets[np.isnan(offsets)] = 0.0
    found = np.fromiter(map(hash, canonical_paths([row.audio_filepath for row in rows], folder)), np.int64, len(rows))
    for number, factor in zip((offsets, durations), FACTORS, strict=True):
        found ^= (number + 0.0).view(np.int64) * factor  # + 0.0 since there is a -0.0
    return found


def canonical_paths(paths: list[str], folder: str) -> list[str]:
    """The paths, spelled such that those to the same file are the same."""
    prefix = f"{folder.rstrip('/')}/"
    together = "/\n".join(["", *paths, ""])
    letters = np.frombuffer(together.encode(), np.uint8)  # numpy, since str.find takes half as long as decoding
    slash, dot = letters == ord("/"), letters == ord(".")
    odd = slash[1:] & (slash[:-1] | dot[:-1])
    if not odd.any() and f"\n{prefix}" not in together:
        return paths
    return [resolve_path(folder, path).removeprefix(prefix) for path in paths]


NOT_AN_UTTERANCE_HASH = int(hash_utterances([EMPTY_GLANCE], np.array([np.nan]), "")[0])


def line_seconds(durations: NDArray[np.float64], blank: list[int]) -> NDArray[np.float64]:
    """The seconds that each line counts for."""
    seconds = np.where(durations >= MIN_SECONDS, durations, UNKNOWN_SECONDS)
    seconds[blank] = 0
    return np.minimum(seconds, MAX_SECONDS)


def cut_points(total: NDArray[np.float64], filled: float, most: float) -> tuple[list[int], float]:
    """After how many lines a slice is full, each time, and how far the last one is filled, given sums of seconds."""
    done, cuts = -filled, []
    while (at := int(np.searchsorted(total, done + most))) < len(total):
        cuts.append(at + 1)
        done = float(total[at])
    return cuts, float(total[-1]) - done


def hash_bytes(file: IO[bytes], start: int, end: int) -> str:
    """The hash of some of the file's bytes; where it is being read does not change."""
    found = xxhash.xxh3_128()
    while start < end and (piece := os.pread(file.fileno(), min(BLOCK, end - start), start)):
        found.update(piece)
        start += len(piece)
    return found.hexdigest()

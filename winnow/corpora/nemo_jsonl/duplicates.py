"""Find utterances that occur twice: lines with equal hashes are parsed again and compared exactly."""

import hashlib
from array import array
from collections.abc import Iterator
from itertools import chain, compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from winnow.corpora.nemo_jsonl.glance import NOT_AN_UTTERANCE_HASH, Integers
from winnow.corpora.nemo_jsonl.line_reader import MAX_LINE, read_lines
from winnow.corpora.nemo_jsonl.parse_line import parse_line

STEP = 1 << 16  # lines


class DuplicateLines(NamedTuple):
    """Lines with the path, offset and duration of an earlier line, in order, and the first such line of each."""

    duplicate_line: Integers
    first_line: Integers

    def among(self, first: int, lines: int) -> "DuplicateLines":
        """Return those in a slice of the manifest."""
        begin, end = np.searchsorted(self.duplicate_line, [first, first + lines])
        return DuplicateLines(self.duplicate_line[begin:end], self.first_line[begin:end])


def find_duplicates(
    manifest: Path, folder: str, hashes: "array[int]", limit: int = MAX_LINE, referenced: bool = True
) -> DuplicateLines:
    """Find duplicate utterances, given the hash of every line from `cut_shards`; other lines have no duplicates."""
    ordered = np.sort(np.asarray(hashes, np.int64))
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    repeated = repeated[repeated != NOT_AN_UTTERANCE_HASH]
    del ordered
    numbers, keys = array("q"), bytearray()
    if len(repeated):
        for number, key in utterance_keys(manifest, folder, is_hash_repeated(hashes, repeated), limit, referenced):
            numbers.append(number)
            keys += key
    return group_by_key(np.asarray(numbers, np.int64), np.frombuffer(keys, np.uint64).reshape(-1, 2))


def is_hash_repeated(hashes: "array[int]", repeated: Integers) -> Iterator[int]:
    """Yield for each line whether its hash is among the repeated ones, which are sorted."""
    steps = (np.asarray(hashes[i : i + STEP], np.int64) for i in range(0, len(hashes), STEP))
    masks = (repeated[np.minimum(np.searchsorted(repeated, step), len(repeated) - 1)] == step for step in steps)
    return chain.from_iterable(mask.tobytes() for mask in masks)


def utterance_keys(
    manifest: Path, folder: str, is_candidate: Iterator[int], limit: int, referenced: bool
) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each candidate line that is an utterance, and 16 bytes that identify the utterance."""
    with manifest.open("rb") as file:
        for number, line in compress(enumerate(read_lines(file.readline, limit), 1), is_candidate):
            row = parse_line(line, folder, referenced)
            if row["reason"] is None:
                utterance = repr((row["path"], row["offset"] or 0.0, row["duration"]))
                yield number, hashlib.blake2b(utterance.encode(), digest_size=16).digest()


def group_by_key(numbers: Integers, keys: NDArray[np.uint64]) -> DuplicateLines:
    """Return all but the first of the lines with equal keys."""
    order = np.lexsort(keys.T)
    numbers, keys = numbers[order], keys[order]
    first = np.ones(len(numbers), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    earliest = numbers[first][np.cumsum(first) - 1] if len(numbers) else numbers
    by_number = np.argsort(numbers[~first])
    return DuplicateLines(numbers[~first][by_number], earliest[~first][by_number])

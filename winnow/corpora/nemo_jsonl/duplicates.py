"""Which utterances are in a manifest twice: those whose hashes are the same are read again, and compared."""

import hashlib
from array import array
from collections.abc import Iterator
from itertools import chain, compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from winnow.corpora.nemo_jsonl.line_reader import MAX_LINE, read_lines
from winnow.corpora.nemo_jsonl.parse_line import parse_line
from winnow.corpora.nemo_jsonl.sharding import NOT_AN_UTTERANCE_HASH, Integers

STEP = 1 << 16  # lines


class DuplicateLines(NamedTuple):
    """Lines with the path, offset and duration of an earlier line, in order, and which lines those are."""

    duplicate_line: Integers
    first_line: Integers

    def among(self, first: int, lines: int) -> "DuplicateLines":
        """Those in a slice."""
        begin, end = np.searchsorted(self.duplicate_line, [first, first + lines])
        return DuplicateLines(self.duplicate_line[begin:end], self.first_line[begin:end])


def find_duplicates(
    manifest: Path, folder: str, hashes: "array[int]", limit: int = MAX_LINE, referenced: bool = True
) -> DuplicateLines:
    """The utterances that are there twice, given a hash of every line (see `cut`); lines that are none have no twin."""
    ordered = np.sort(np.asarray(hashes, np.int64))
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    again = again[again != NOT_AN_UTTERANCE_HASH]
    del ordered
    numbers, keys = array("q"), bytearray()
    if len(again):
        for number, key in utterance_keys(manifest, folder, is_hash_repeated(hashes, again), limit, referenced):
            numbers.append(number)
            keys += key
    return group_by_key(np.asarray(numbers, np.int64), np.frombuffer(keys, np.uint64).reshape(-1, 2))


def is_hash_repeated(hashes: "array[int]", again: Integers) -> Iterator[int]:
    """For each line, whether its hash is among these."""
    steps = (np.asarray(hashes[i : i + STEP], np.int64) for i in range(0, len(hashes), STEP))
    found = (again[np.minimum(np.searchsorted(again, step), len(again) - 1)] == step for step in steps)
    return chain.from_iterable(mask.tobytes() for mask in found)


def utterance_keys(
    manifest: Path, folder: str, wanted: Iterator[int], limit: int, referenced: bool
) -> Iterator[tuple[int, bytes]]:
    """The wanted lines that are good utterances: their numbers, and 128 bits that tell utterances apart."""
    with manifest.open("rb") as file:
        for number, line in compress(enumerate(read_lines(file.readline, limit), 1), wanted):
            row = parse_line(line, folder, referenced)
            if row["reason"] is None:
                utterance = repr((row["path"], row["offset"] or 0.0, row["duration"]))
                yield number, hashlib.blake2b(utterance.encode(), digest_size=16).digest()


def group_by_key(numbers: Integers, keys: NDArray[np.uint64]) -> DuplicateLines:
    """Of the lines with the same key, all but the first, with the first."""
    order = np.lexsort(keys.T)
    numbers, keys = numbers[order], keys[order]
    first = np.ones(len(numbers), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    earlier = numbers[first][np.cumsum(first) - 1] if len(numbers) else numbers
    found = np.argsort(numbers[~first])
    return DuplicateLines(numbers[~first][found], earlier[~first][found])

"""Which utterances are in a manifest twice: those whose hashes are the same are read again, and compared."""

import hashlib
from array import array
from collections.abc import Iterator
from itertools import chain, compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.manifests.lines import row_of
from tasks.manifests.linewise import MAX_LINE, lines_of
from tasks.manifests.slices import NO_UTTERANCE, Integers

STEP = 1 << 16  # lines


class Twins(NamedTuple):
    """Lines with the path, offset and duration of an earlier line, in order, and which lines those are."""

    twins: Integers
    earlier: Integers

    def among(self, first: int, lines: int) -> "Twins":
        """Those in a slice."""
        begin, end = np.searchsorted(self.twins, [first, first + lines])
        return Twins(self.twins[begin:end], self.earlier[begin:end])


def twins(manifest: Path, folder: str, hashes: "array[int]", limit: int = MAX_LINE, referenced: bool = True) -> Twins:
    """The utterances that are there twice, given a hash of every line (see `cut`); lines that are none have no twin."""
    ordered = np.sort(np.asarray(hashes, np.int64))
    again = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    again = again[again != NO_UTTERANCE]
    del ordered
    numbers, keys = array("q"), bytearray()
    if len(again):
        for number, key in keyed(manifest, folder, suspicious(hashes, again), limit, referenced):
            numbers.append(number)
            keys += key
    return grouped(np.asarray(numbers, np.int64), np.frombuffer(keys, np.uint64).reshape(-1, 2))


def suspicious(hashes: "array[int]", again: Integers) -> Iterator[int]:
    """For each line, whether its hash is among these."""
    steps = (np.asarray(hashes[i : i + STEP], np.int64) for i in range(0, len(hashes), STEP))
    found = (again[np.minimum(np.searchsorted(again, step), len(again) - 1)] == step for step in steps)
    return chain.from_iterable(mask.tobytes() for mask in found)


def keyed(
    manifest: Path, folder: str, wanted: Iterator[int], limit: int, referenced: bool
) -> Iterator[tuple[int, bytes]]:
    """The wanted lines that are good utterances: their numbers, and 128 bits that tell utterances apart."""
    with manifest.open("rb") as file:
        for number, line in compress(enumerate(lines_of(file.readline, limit), 1), wanted):
            row = row_of(line, folder, referenced)
            if row["reason"] is None:
                utterance = repr((row["path"], row["offset"] or 0.0, row["duration"]))
                yield number, hashlib.blake2b(utterance.encode(), digest_size=16).digest()


def grouped(numbers: Integers, keys: NDArray[np.uint64]) -> Twins:
    """Of the lines with the same key, all but the first, with the first."""
    order = np.lexsort(keys.T)
    numbers, keys = numbers[order], keys[order]
    first = np.ones(len(numbers), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    earlier = numbers[first][np.cumsum(first) - 1] if len(numbers) else numbers
    found = np.argsort(numbers[~first])
    return Twins(numbers[~first][found], earlier[~first][found])

"""Find lines with the same audio: lines with equal hashes are parsed again and compared exactly."""

from array import array
from collections.abc import Iterator
from itertools import chain, compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from winnow.corpora.line_reader import MAX_LINE, read_lines
from winnow.corpora.nemo_jsonl.glance import NOT_AN_UTTERANCE_HASH, Integers
from winnow.corpora.nemo_jsonl.parse_line import parse_line, utterance_key

STEP = 1 << 16  # lines

Keys = NDArray[np.uint64]


class LinePairs(NamedTuple):
    """Lines, in order, and for each an earlier line (or itself) that is related to it."""

    line: Integers
    first_line: Integers

    def among(self, first: int, lines: int) -> "LinePairs":
        """Return those in a slice of the manifest."""
        begin, end = np.searchsorted(self.line, [first, first + lines])
        return LinePairs(self.line[begin:end], self.first_line[begin:end])


class Duplicates(NamedTuple):
    """The lines of a manifest that have the same audio: path, offset, duration and channel.

    `duplicate` are lines with the audio and the text of an earlier one. `same_audio` are lines, without duplicates,
    whose audio occurs with several texts, with the first line of this audio.
    """

    duplicate: LinePairs
    same_audio: LinePairs


def find_duplicates(
    manifest: Path, folder: str, hashes: "array[int]", limit: int = MAX_LINE, referenced: bool = True
) -> Duplicates:
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
    return group_by_key(np.asarray(numbers, np.int64), np.frombuffer(keys, np.uint64).reshape(-1, 4))


def is_hash_repeated(hashes: "array[int]", repeated: Integers) -> Iterator[int]:
    """Yield for each line whether its hash is among the repeated ones, which are sorted."""
    steps = (np.asarray(hashes[i : i + STEP], np.int64) for i in range(0, len(hashes), STEP))
    masks = (repeated[np.minimum(np.searchsorted(repeated, step), len(repeated) - 1)] == step for step in steps)
    return chain.from_iterable(mask.tobytes() for mask in masks)


def utterance_keys(
    manifest: Path, folder: str, is_candidate: Iterator[int], limit: int, referenced: bool
) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the key of each candidate line that is an utterance."""
    with manifest.open("rb") as file:
        for number, line in compress(enumerate(read_lines(file.readline, limit), 1), is_candidate):
            row = parse_line(line, folder, referenced)
            if row["reason"] is None:
                yield number, utterance_key(row)


def group_by_key(numbers: Integers, keys: Keys) -> Duplicates:
    """Group lines by the keys of their audio (two numbers) and their text (two more)."""
    first = first_lines(keys, numbers)
    distinct = first == numbers
    numbers_left, audio = numbers[distinct], keys[distinct, :2]
    first_audio = first_lines(audio, numbers_left)
    several = np.isin(first_audio, first_audio[first_audio != numbers_left])
    return Duplicates(
        LinePairs(numbers[~distinct], first[~distinct]), LinePairs(numbers_left[several], first_audio[several])
    )


def first_lines(keys: Keys, numbers: Integers) -> Integers:
    """Return for each line the first one with an equal key; the lines are in order."""
    order = np.lexsort(keys.T)
    starts = np.ones(len(numbers), bool)
    starts[1:] = (keys[order][1:] != keys[order][:-1]).any(axis=1)
    firsts = np.empty_like(numbers)
    firsts[order] = numbers[order][starts][np.cumsum(starts) - 1] if len(numbers) else numbers
    return firsts

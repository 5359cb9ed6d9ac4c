"""Whether the same audio occurs earlier in the run: the same samples, or others that sound alike over time.

Each utterance is described by how the power of its bands between 200 Hz and 4 kHz changes over 16 equal parts of it.
That hardly depends on codec, sampling rate, loudness, equalization or noise, but on when the utterance begins and ends.
"""

import numpy as np
from numpy.typing import NDArray

from winnow.listening.measure import Column, RunMeasure, Sound, Utterances, Value, pack, unpack
from winnow.listening.mel import Floats, mel_power

FRAME, HOP, BANDS = 400, 160, 40
USED = slice(3, 27)  # bands from 200 Hz to 4 kHz
PARTS, GROUPS = 16, 8  # of the time, and of the bands
DYNAMIC_RANGE = 30.0  # dB below the loudest band of the utterance
LOWEST_POWER = 1e-10
LEAST_CHANGE = 1.0  # dB, of all numbers together; what changes less is silence or a steady tone, and has no description

TOLERANCE, SHARE = 0.1, 0.01  # seconds, or share of the duration, by which the lengths of copies differ
BLOCK = 2048  # utterances that are compared at a time

HIGHEST = 0.9999  # of samples that are not the same


class Copies(RunMeasure):
    """How much an utterance is like the most similar one before it; 1 where both have the same samples."""

    name = "copies"
    relative = (
        Column(
            "copy_similarity", "number", "Similarity (0 to 1) to the most similar earlier line; 1: the same samples"
        ),
        Column("copy_of", "line", "The line that this is the similarity to; null if nothing earlier is alike at all"),
    )
    columns = relative

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__, "method": "1"}

    def measure(self, sound: Sound) -> dict[str, Value]:
        description = describe(sound.samples)
        return {} if description is None else {self.vector: pack(description)}

    def relate(self, run: Utterances, vectors: list[bytes | None]) -> dict[str, list[Value]]:
        similarity, lines = alike(run, *unpack(vectors))
        first = dict[str, int]()
        for at, samples in enumerate(run.samples):
            same = first.setdefault(samples, at)
            if run.places[same] != run.places[at]:
                similarity[at], lines[at] = 1.0, run.lines[same]
        return {"copy_similarity": similarity.tolist(), "copy_of": [line or None for line in lines.tolist()]}


def describe(samples: Floats) -> Floats | None:
    """Return PARTS x GROUPS numbers of length 1 that describe samples; None if nothing changes in them."""
    if len(samples) < (PARTS + 4) * HOP:
        return None
    power = np.maximum(mel_power(samples, FRAME, HOP, BANDS)[2:-2, USED], LOWEST_POWER)  # whole frames
    decibel = 10 * np.log10(power)
    decibel = np.maximum(decibel, decibel.max() - DYNAMIC_RANGE).reshape(len(power), GROUPS, -1).mean(axis=2)
    edges = np.linspace(0, len(decibel), PARTS + 1).astype(int)
    parts = np.add.reduceat(decibel, edges[:-1]) / np.diff(edges)[:, None]
    parts -= parts.mean(axis=0)
    change = float(np.linalg.norm(parts))
    return (parts / change).ravel().astype(np.float32) if change >= LEAST_CHANGE else None  # also for nan


def alike(run: Utterances, known: NDArray[np.intp], vectors: Floats) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the highest similarity of each utterance to an earlier one of about its length, and the line of that.

    `known` are the utterances that have vectors. Lines with the same audio file are not compared.
    """
    similarity, lines = np.zeros(len(run.lines)), np.zeros(len(run.lines), np.int64)
    seconds = np.asarray(run.seconds)[known]
    order = np.argsort(seconds, kind="stable")
    known, vectors, seconds = known[order], vectors[order], seconds[order]
    numbers, places = np.asarray(run.lines)[known], np.asarray(run.places)[known]
    for start in range(0, len(known), BLOCK):
        rows = slice(start, start + BLOCK)
        longest = seconds[rows][-1]
        end = int(np.searchsorted(seconds, longest + max(TOLERANCE, SHARE * longest), side="right"))
        for other in range(start, end, BLOCK):
            columns = slice(other, min(other + BLOCK, end))
            products = vectors[rows] @ vectors[columns].T
            apart = np.abs(seconds[rows, None] - seconds[columns])
            products[apart > np.maximum(TOLERANCE, SHARE * seconds[rows, None])] = 0
            products[places[rows, None] == places[columns]] = 0
            later = numbers[rows, None] > numbers[columns]
            for side, at, others in ((products * later, rows, columns), ((products * ~later).T, columns, rows)):
                best = side.argmax(axis=1)
                value = np.minimum(side[np.arange(len(side)), best], HIGHEST)
                better = value > similarity[known[at]]
                similarity[known[at][better]] = value[better]
                lines[known[at][better]] = numbers[others][best[better]]
    return similarity, lines

"""The benchmark of a GPU ends in time, and a part that fails stops nothing."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.corpora import Corpus
from benchmarks.gpu import PARTS, Part, measure_all, result_file
from benchmarks.gpu_parts import Row


def good(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    yield {"case": "a", "against": "b", "wall_ratio": 1.0}
    yield {"case": "a", "against": "b", "wall_ratio": 2.0}


def failing(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    yield {"case": "a", "against": "b", "wall_ratio": 3.0}
    raise ValueError("no memory")


def dying(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    yield {"case": "a", "against": "b", "wall_ratio": 4.0}
    os._exit(7)


def hanging(folder: Path, corpus: Corpus, quick: bool) -> Iterator[Row]:
    yield {"case": "a", "against": "b", "wall_ratio": 5.0}
    time.sleep(600)


def test_part_that_fails_dies_or_hangs_is_a_row_and_stops_nothing():
    parts = {"hanging": Part(hanging, 0.5)} | {each.__name__: Part(each, 60) for each in (failing, dying, good)}
    *_, (_, rows) = measure_all(parts, quick=True)
    ratios = {row["part"]: row["wall_ratio"] for row in rows if "wall_ratio" in row}
    assert ratios == {"hanging": 5.0, "failing": 3.0, "dying": 4.0, "good": 2.0}  # the last of each contender
    assert {row["part"]: row["error"] for row in rows if "error" in row} == {
        "hanging": "killed after its 0.5 s",
        "failing": "ValueError: no memory",
        "dying": "its process ended with exit code 7",
    }
    assert all(row["seconds"] < 60 for row in rows if "seconds" in row)


def test_all_parts_end_within_eight_minutes():
    assert sum(part.budget for part in PARTS.values()) <= 480


def test_results_are_named_after_the_gpu():
    assert result_file("NVIDIA H100 80GB HBM3").name == "gpu-nvidia-h100-80gb-hbm3.json"

"""How fast the rows of a large run are read, sorted, filtered and searched in the review app.

python -m benchmarks.review_rows --rows 1000000
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

from winnow.api.run import Run
from winnow.review.index import Index, Query, read_index
from winnow.runs.shard_files import store_table

SHARDS = 100
WORDS = np.array("the of and to in is you that it was for on are as with they be at one have this from".split())

QUERIES = {
    "in the order of the queue": Query(),
    "by doubt, descending": Query(sort="doubt", descending=True),
    "by speaker": Query(sort="speaker"),
    "first search": Query(search="that it was"),
    "another search, of one speaker": Query(search="You Have", speaker="s7"),
    "filtered by four columns, by WER": Query(
        decision="drop", reason="DOUBTFUL", language="de", doubt_from=1, sort="wer"
    ),
}


class Synthetic(Run):
    """A run that has published rows and nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def files(self, part: Any) -> list[Path]:
        return sorted((self.path / part).iterdir())


def write_rows(folder: Path, count: int) -> None:
    """Write rows of twelve words and 3,000 speakers, a fifth of them dropped."""
    numbers = np.random.default_rng(0)
    for shard in range(SHARDS):
        ids = np.arange(shard, count, SHARDS) + 1
        kept = numbers.random(len(ids)) < 0.8
        texts = [" ".join(row) for row in WORDS[numbers.integers(0, len(WORDS), (len(ids), 12))]]
        rows = pa.table(
            {
                "id": ids,
                "text": texts,
                "pred_text": texts,
                "decision": np.where(kept, "keep", "drop"),
                "reason": pa.array(np.where(kept, "", "DOUBTFUL"), mask=kept),
                "wer": numbers.random(len(ids)),
                "doubt": numbers.exponential(2, len(ids)),
                "duration": 10 * numbers.random(len(ids)),
                "speaker": [f"s{number}" for number in numbers.integers(0, 3_000, len(ids))],
                "lang": numbers.choice(["en", "de", "fr"], len(ids)),
            }
        )
        for part, flags in (("data", kept), ("rejects", ~kept)):
            store_table(folder / part, f"{shard:05}", rows.filter(pa.array(flags)))


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the wall time and the CPU time of some work in seconds, and its result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def first_rows(index: Index, query: Query) -> int:
    """Read the first 50 rows that fit a query; return how many fit."""
    none = np.zeros(len(index), bool)
    fitting = index.matching(query, ~none, none)
    index.rows.take(pa.array(fitting[: query.size])).to_pylist()
    return len(fitting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder), given.rows)
        wall, cpu, index = timed(lambda: read_index(Synthetic(Path(folder)), seed=0))
    memory = psutil.Process().memory_info().rss / 2**30
    print(f"{given.rows:,} rows read: {wall:.2f} s, {cpu:.2f} s of CPU; {memory:.2f} GiB in memory")
    for name, query in QUERIES.items():
        wall, cpu, count = timed(lambda query=query: first_rows(index, query))  # type: ignore[misc]
        print(f"{name}: {wall:.3f} s, {cpu:.3f} s of CPU; {count:,} rows fit")


if __name__ == "__main__":
    main()

"""Measure how fast a manifest is split into shards and loaded, on one core, and in how much memory.

    python -m benchmarks.manifest                 # two million rows, like NeMo's
    python -m benchmarks.manifest --quick         # two hundred thousand
    python -m benchmarks.manifest --json FILE     # also write the rows as JSON

Every measurement runs in a process on one core. Its peak memory is the system's (VmHWM), with the interpreter and all
imports. `shard` finds where shards begin and which utterances are duplicates, before shards can be loaded in parallel.
`load` strictly parses the first shards, about 50,000 rows.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.turns import main

ROWS, QUICK_ROWS = 2_000_000, 200_000
LOADED_ROWS = 50_000
SHARD_ROWS = 2_000  # so that there are a thousand shards, the most that a run has
SECONDS = 10.5  # of an utterance, on average

START = """
import json, os, sys, time
from pathlib import Path
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
manifest, hours, rows = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
"""
SHARD = """
from winnow.corpora.registry import open_source
start = time.perf_counter(), time.process_time()
shards = list(open_source(manifest, "/audio").shards(hours))
figures = {"rows": sum(shard.lines for shard in shards), "shards": len(shards)}
"""
LOAD = """
from tasks.load import load
from tasks.shard import shard_table
from winnow.corpora.registry import open_source
source = open_source(manifest, "/audio")
tables = [shard_table(source, shard) for shard in source.shards(hours)]
start, figures = (time.perf_counter(), time.process_time()), {"rows": 0, "shards": 0}
for table in tables:
    if figures["rows"] < rows:
        figures = {"rows": figures["rows"] + load(table)[0].num_rows, "shards": figures["shards"] + 1}
"""
END = """
figures |= {"wall": time.perf_counter() - start[0], "cpu": time.process_time() - start[1]}
figures["mebibytes"] = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps(figures))
"""


def write(path: Path, rows: int) -> float:
    """Write a NeMo manifest of ten words per row, no utterance twice; return its size in MB."""
    pick = Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(pick.choices(letters, k=pick.randint(2, 9))) for _ in range(5_000)]
    with path.open("w") as file:
        for i in range(rows):
            row = {"audio_filepath": f"audio/{i % 997:03}/{i:08}.flac", "duration": round(pick.uniform(1, 20), 3)}
            row |= {"text": " ".join(pick.choices(words, k=10)), "speaker": f"speaker-{i % 2_000:04}", "lang": "en"}
            file.write(json.dumps(row) + "\n")
    return path.stat().st_size / 1e6


def measure(code: str, path: Path) -> dict[str, Any]:
    hours = SHARD_ROWS * SECONDS / 3600
    command = [sys.executable, "-c", START + code + END, str(path), str(hours), str(LOADED_ROWS)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    rows = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.jsonl"
        size = write(path, rows)
        turns: dict[str, list[dict[str, Any]]] = {"shard": [], "load": []}
        for _ in range(rounds + 1):  # the first warms up
            turns["shard"].append(measure(SHARD, path))
            turns["load"].append(measure(LOAD, path))
        for name, rounds_ in turns.items():
            middle = {figure: statistics.median(turn[figure] for turn in rounds_[1:]) for figure in rounds_[0]}
            yield {
                "stage": name,
                "manifest": f"{rows:,} rows, {size:.0f} MB",
                "rows": f"{middle['rows']:,.0f}",
                "shards": f"{middle['shards']:,.0f}",
                "rows_per_second": round(middle["rows"] / middle["wall"]),
                "rows_per_cpu_second": round(middle["rows"] / middle["cpu"]),
                "peak_mebibytes": round(middle["mebibytes"]),
            }


if __name__ == "__main__":
    main(__doc__ or "", compare)

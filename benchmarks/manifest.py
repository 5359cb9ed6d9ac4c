"""How quickly a manifest is cut into shards, on one core and in how much memory, and how quickly shards are read.

    python -m benchmarks.manifest                 # two million rows, like NeMo's
    python -m benchmarks.manifest --quick         # two hundred thousand
    python -m benchmarks.manifest --json FILE     # the rows for machines

Every measurement has a process of its own on one core, with its peak memory as the system counts it (VmHWM), the
interpreter and all imports included. `cut` finds where shards begin and which utterances are there twice: all that is
done before shards can be read side by side. `read` is the strict parse of the first shards, some 50,000 rows.
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
READ = 50_000  # rows
SHARD = 2_000  # rows, so that there are a thousand shards, as the README plans for
SECONDS = 10.5  # of an utterance, on average

START = """
import json, os, sys, time
from pathlib import Path
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
manifest, hours, rows = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
"""
CUT = """
from winnow.corpora.nemo_jsonl.sharding import cut
from winnow.corpora.nemo_jsonl.duplicates import find_duplicates
began = time.perf_counter(), time.process_time()
slices, hashes = cut(manifest, "/audio", hours)
twice = find_duplicates(manifest, "/audio", hashes)
done = {"rows": len(hashes), "shards": len(slices), "twice": len(twice.duplicate_line)}
"""
READING = """
from tasks.shard import sliced
from tasks.load import read
tables, *_ = sliced(manifest, "/audio", hours)
began, done = (time.perf_counter(), time.process_time()), {"rows": 0, "shards": 0}
for table in tables:
    if done["rows"] < rows:
        done = {"rows": done["rows"] + read(table)[0].num_rows, "shards": done["shards"] + 1}
"""
END = """
done |= {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
done["mebibytes"] = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps(done))
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
    hours = SHARD * SECONDS / 3600
    command = [sys.executable, "-c", START + code + END, str(path), str(hours), str(READ)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    rows = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.jsonl"
        size = write(path, rows)
        turns: dict[str, list[dict[str, Any]]] = {"cut": [], "read": []}
        for _ in range(rounds + 1):  # the first warms up
            turns["cut"].append(measure(CUT, path))
            turns["read"].append(measure(READING, path))
        for name, found in turns.items():
            middle = {figure: statistics.median(turn[figure] for turn in found[1:]) for figure in found[0]}
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

"""How fast other rules are tried on a complete run, and in how much memory.

    python -m benchmarks.refilter                 # a million rows in a thousand shards
    python -m benchmarks.refilter --quick         # fifty thousand in fifty
    python -m benchmarks.refilter --json FILE     # the rows for machines

The hypotheses are made up. Every measurement runs in its own process on one core; peak memory is the system's (VmHWM)
and includes the interpreter and all imports. `refilter` is what `winnow refilter` prints: what is kept now, what the
rules would keep, and what each of them drops; `sweep` is drawing and writing the curves of `winnow sweep`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.turns import main
from tasks.filter import filter
from winnow.parameters.curation import Curation
from winnow.runs import ledger
from winnow.runs.completion import complete
from winnow.runs.run_record import RUN_RECORD, make_record
from winnow.runs.shard_files import store_table
from winnow.schema import BEFORE_FILTER, select_columns
from winnow.validation.rules import rules_for

SHARD = 1_000  # rows

RULES = {
    "limits": ["--filter.max-wer", "0.2", "--filter.rules", "char_rate in 5..20", "--filter.rules", "cer <= 0.1"],
    "texts and fields": ["--filter.rules", "unique_words(pred_text) > 0.4", "--filter.rules", "dnsmos >= 3"],
    "whole run": ["--filter.rules", "copies(text) <= 2"],
}

MEASURED = """
import json, os, sys, time
from pathlib import Path
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
began = time.perf_counter(), time.process_time()
from cli.app import app
app(sys.argv[1:], result_action="return_value")
figures = {"wall": time.perf_counter() - began[0], "cpu": time.process_time() - began[1]}
figures["mebibytes"] = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps(figures))
"""


def shard(number: int) -> pa.Table:
    """Return scored rows of ten words each."""
    pick = np.random.default_rng(number)
    words = np.array([f"word{i}" for i in range(2_000)])
    texts = [" ".join(row) for row in words[pick.integers(0, len(words), (SHARD, 10))]]
    texts[: SHARD // 10] = [f"said again {i % 30}" for i in range(SHARD // 10)]
    wrong = pick.poisson(1.0, (2, SHARD))
    large = pick.random(SHARD) < 0.2
    columns: dict[str, Any] = {
        "id": np.arange(number * SHARD, (number + 1) * SHARD) + 1,
        "duration": pick.uniform(1, 20, SHARD),
        "text": texts,
        "fields": [
            json.dumps({"dnsmos": round(value, 2), "speaker": f"s{number}"}) for value in pick.uniform(2, 5, SHARD)
        ],
        "band": np.where(large, "escalate", "accept"),
        "small_pred_text": texts,
        "large_pred_text": pa.array(texts, mask=~large),
    }
    for role, errors, transcribed in (("small", wrong[0], ~large | large), ("large", wrong[1], large)):
        scores = {"substitutions": errors, "deletions": errors * 0, "insertions": errors * 0, "hits": 10 - errors}
        scores |= {"wer": errors / 10, "cer": errors / 25}
        columns |= {f"{role}_{name}": pa.array(value, mask=~transcribed) for name, value in scores.items()}
    types = {name: BEFORE_FILTER.field(name).type for name in columns}
    arrays = [pa.array(column).cast(types[name]) for name, column in columns.items()]
    return select_columns(pa.table(arrays, names=list(columns)), BEFORE_FILTER)


def write_run(run: Path, shards: int) -> None:
    """Write a finished run of `shards` shards of hypotheses, filtered by the default rules."""
    manifest = run.parent / "corpus.jsonl"
    manifest.write_text(json.dumps({"audio_filepath": "a.wav", "text": "a", "dnsmos": 3.5}) + "\n")
    settings = Curation(manifest=manifest, output=str(run), small="s.nemo", large="l.nemo")
    rules = rules_for(settings)
    for number in range(shards):
        rows = shard(number)
        for stage, table in (("load", rows), ("score-large", rows), ("filter", filter(rows, rules))):
            file = store_table(run / ledger.STAGES / stage, f"{number:05}", table)
            ledger.commit(run, ledger.key_of(stage, number), [file], stage=stage, shard=f"{number:05}")
    (run / RUN_RECORD).write_bytes(make_record(run, settings, {}, {}).encode())
    complete(run, dict.fromkeys(("lines", "blank", "kept", "dropped", "quarantined"), 0))


def measure(*words: str) -> dict[str, Any]:
    command = [sys.executable, "-c", MEASURED, *words]
    process = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {"PYTHONPATH": "."}
    )
    return dict(json.loads(process.stdout.splitlines()[-1]))


def compare(quick: bool, rounds: int) -> Iterator[dict[str, Any]]:
    shards = 50 if quick else 1_000
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        write_run(run, shards)
        for command in ("refilter", "sweep"):
            for name, rules in RULES.items():
                turns = [measure(command, str(run), *rules) for _ in range(rounds)]
                middle = {figure: statistics.median(turn[figure] for turn in turns) for figure in turns[0]}
                yield {
                    "command": command,
                    "rules": name,
                    "rows": f"{shards * SHARD:,}",
                    "seconds": round(middle["wall"], 1),
                    "cpu_seconds": round(middle["cpu"], 1),
                    "peak_mebibytes": round(middle["mebibytes"]),
                }


if __name__ == "__main__":
    main(__doc__ or "", compare)

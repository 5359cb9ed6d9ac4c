"""What a run of many rows takes: time, memory, files, rows of Prefect's database and records of the ledger, by size.

    python -m benchmarks.scale                              # 10,000 and 100,000 rows
    python -m benchmarks.scale --rows 100000 1000000        # a million takes about ten minutes on two cores
    python -m benchmarks.scale --demo --rows 600 18000      # the demo's utterances again and again, by its small model
    python -m benchmarks.scale --json FILE                  # also write the figures to a file

Runs are real: the command, its Prefect server, ledger, outputs and report. Only the model is replaced, by hypotheses
from a file, so that everything beside a model is measured. An utterance is 0.25 s of noise in one of a few files, and
its audio is decoded and measured as ever; a shard has 2,000 utterances (or `--rows-per-shard`), which is 5.6 h of
utterances of 10 s. One in ten references has a wrong word, one in fifty is another text.

Memory is the sum over all processes, shared pages counted once, four times per second. From the two smallest sizes a
fixed cost and a cost per row are computed, and from these what larger sizes would take.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile
from rich.console import Console
from rich.table import Table

from benchmarks.corpora import demo_corpus
from benchmarks.orchestration import SMALL, write_manifest

SIZES = (10_000, 100_000)
ROWS_PER_SHARD = 2_000  # unless another number is given
SECONDS = 0.25  # of an utterance
RATE = 16_000  # Hz
FILE_SECONDS = 500  # of a file of audio, in which utterances begin at each millisecond
STARTS = 480_000  # utterances in a file
WARM_UP_ROWS = 100
SAMPLE_SECONDS = 0.25
WORDS = 5_000
MIB = 2**20
EXTRAPOLATED = (10**6, 10**7, 10**8)
FIGURES = ("wall", "cpu", "mebibytes", "files", "bytes", "records", "prefect_rows")


def write_corpus(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write a manifest of so many rows, their audio and their hypotheses; return manifest and hypotheses."""
    pick = random.Random(11)
    words = ["".join(pick.choices("abdefghiklmnoprstu", k=pick.randint(2, 9))) for _ in range(WORDS)]
    manifest, hypotheses = folder / "corpus.jsonl", folder / "hypotheses.jsonl"
    with manifest.open("w") as lines, hypotheses.open("w") as heard:
        for number in range(rows):
            spoken = pick.choices(words, k=pick.randint(5, 15))
            text = list(spoken)
            if number % 50 == 0:
                text = pick.choices(words, k=9)
            elif number % 10 == 0:
                text[pick.randrange(len(text))] = pick.choice(words)
            row = {
                "audio_filepath": str(audio_file(folder, number // STARTS)),
                "offset": number % STARTS / 1000,
                "duration": SECONDS,
            }
            lines.write(json.dumps(row | {"text": " ".join(text), "speaker": f"s{number % 40}"}) + "\n")
            heard.write(json.dumps(row | {"pred_text": " ".join(spoken)}) + "\n")
    return manifest, hypotheses


def write_demo(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write a manifest with the demo's utterances until there are so many; return it and the demo's small model."""
    copies = -(-rows // len(demo_corpus().requests))
    return write_manifest(folder, copies, rows), SMALL


def audio_file(folder: Path, number: int) -> Path:
    """Return a file of noise, which is made if it is missing."""
    path = folder / f"noise{number}.wav"
    if not path.exists():
        noise = np.random.default_rng(number).normal(0, 0.1, FILE_SECONDS * RATE)
        soundfile.write(path, noise, RATE)
    return path


def run_size(
    folder: Path, home: Path, rows: int, demo: bool = False, rows_per_shard: int = ROWS_PER_SHARD
) -> dict[str, Any]:
    """Run the command on so many rows; return what it took. `demo` is whether they are those of the demo."""
    corpus, output, own_home = folder / "corpus", folder / "run", folder / "prefect"
    for old in (output, own_home, corpus):
        shutil.rmtree(old, ignore_errors=True)
    corpus.mkdir()
    manifest, small = write_demo(corpus, rows) if demo else write_corpus(corpus, rows)
    if home.exists():
        shutil.copytree(home, own_home)
    before = count_prefect_rows(own_home), seconds_by_task(own_home)
    command = [sys.executable, "-P", "-m", "cli.app", "curate", str(manifest), "--output", str(output)]
    command += ["--small", str(small), "--trust-unpinned"]
    command += [] if demo else ["--shard-hours", str(rows_per_shard * SECONDS / 3600)]
    environment = os.environ | {"PREFECT_HOME": str(own_home), "PREFECT_API_URL": ""}
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        peak, parts, cpu = sample_until_end(process)
        wall = time.perf_counter() - began
        if process.returncode:
            log.seek(0)
            raise RuntimeError(log.read())
    files = [file for file in output.rglob("*") if file.is_file()]
    return {
        "rows": rows,
        "wall": wall,
        "cpu": cpu,
        "mebibytes": peak,
        "mebibytes_by_process": parts,
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
        "records": sum(1 for _ in (output / "_ledger").glob("*.json")),
        "prefect_rows": sum(count_prefect_rows(own_home).values()) - sum(before[0].values()),
        "seconds_by_task": subtract(seconds_by_task(own_home), before[1]),
    }


def sample_until_end(process: subprocess.Popen[Any]) -> tuple[float, dict[str, float], float]:
    """Wait for a command; return its peak memory [MiB], that of each of its processes, and its CPU seconds."""
    peak, parts, cpu = 0.0, defaultdict[str, float](float), dict[int, float]()
    while process.poll() is None:
        total = 0.0
        for name, pid, mebibytes, seconds in processes_of(process.pid):
            total += mebibytes
            parts[name] = max(parts[name], mebibytes)
            cpu[pid] = seconds
        peak = max(peak, total)
        time.sleep(SAMPLE_SECONDS)
    return peak, dict(parts), sum(cpu.values())


def processes_of(pid: int) -> Iterator[tuple[str, int, float, float]]:
    """Yield of a process and its descendants: what it is, its id, its memory [MiB] and its CPU seconds so far."""
    with suppress(psutil.Error):
        for process in [(top := psutil.Process(pid)), *top.children(recursive=True)]:
            with suppress(psutil.Error):
                command = " ".join(process.cmdline())
                name = "server" if "ephemeral" in command else "command" if process.pid == pid else "other"
                times = process.cpu_times()
                yield name, process.pid, process.memory_full_info().pss / MIB, times.user + times.system


def count_prefect_rows(home: Path) -> dict[str, int]:
    """Count the rows of each table of Prefect's database."""
    counts = dict[str, int]()
    if not (path := home / "prefect.db").exists():
        return counts
    with closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            (counts[name],) = database.execute(f'select count(*) from "{name}"').fetchone()
    return counts


def seconds_by_task(home: Path) -> dict[str, dict[str, float]]:
    """Return for each kind of task how many there were, and their wall-clock seconds in total."""
    kinds = defaultdict[str, dict[str, float]](lambda: {"tasks": 0, "seconds": 0.0})
    if not (path := home / "prefect.db").exists():
        return {}
    with closing(sqlite3.connect(path)) as database:
        query = "select name, julianday(end_time) - julianday(start_time) from task_run"
        for name, days in database.execute(query):
            kind = kinds[" ".join(word for word in name.split() if not word.isdigit())]
            kind["tasks"] += 1
            kind["seconds"] += (days or 0.0) * 86_400
    return dict(kinds)


def subtract(kinds: dict[str, dict[str, float]], before: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return what was added to figures of tasks since then."""
    return {
        name: {figure: value - before.get(name, {}).get(figure, 0) for figure, value in kind.items()}
        for name, kind in kinds.items()
    }


def fit(first: dict[str, Any], second: dict[str, Any], figure: str) -> tuple[float, float]:
    """Return the fixed part of a figure and what each row adds, from two sizes."""
    slope = (second[figure] - first[figure]) / (second["rows"] - first["rows"])
    return first[figure] - slope * first["rows"], slope


def growth(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each figure its fixed part, its part per row, and what larger sizes would have."""
    if len(measured) < 2:
        return []
    first, second = measured[:2]
    rows = []
    for figure in FIGURES:
        fixed, each = fit(first, second, figure)
        predicted = {str(size): fixed + each * size for size in EXTRAPOLATED if size > second["rows"]}
        rows.append({"figure": figure, "fixed": fixed, "per_row": each, "predicted": predicted})
    return rows


def print_tables(measured: list[dict[str, Any]]) -> None:
    """Print what was measured, and what follows from it."""
    console = Console(width=160)
    table = Table(
        "rows", "wall s", "CPU s", "ms CPU a row", "MiB", "by process", "files", "MB", "records", "Prefect rows"
    )
    for size in measured:
        processes = ", ".join(f"{name} {value:,.0f}" for name, value in size["mebibytes_by_process"].items())
        cells = [size["rows"], size["wall"], size["cpu"], 1000 * size["cpu"] / size["rows"], size["mebibytes"]]
        shown = [f"{cell:,.2f}" if isinstance(cell, float) else f"{cell:,}" for cell in cells]
        counts = [size["files"], round(size["bytes"] / 1e6), size["records"], size["prefect_rows"]]
        table.add_row(*shown, processes, *(f"{count:,}" for count in counts))
    console.print(table)
    tasks = Table("task", *(f"{size['rows']:,} rows" for size in measured))
    for name in dict.fromkeys(name for size in measured for name in size["seconds_by_task"]):
        found = [size["seconds_by_task"].get(name) for size in measured]
        tasks.add_row(name, *(f"{kind['tasks']:,.0f} in {kind['seconds']:,.1f} s" if kind else "" for kind in found))
    console.print(tasks)
    for row in growth(measured):
        predicted = "; ".join(f"{int(size):,} rows: {value:,.0f}" for size, value in row["predicted"].items())
        console.print(f"{row['figure']}: {row['fixed']:,.1f} + {row['per_row']:.6f} a row; {predicted}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="sizes, the smallest first")
    parser.add_argument("--demo", action="store_true", help="the demo's utterances and its small model")
    parser.add_argument("--rows-per-shard", type=int, default=ROWS_PER_SHARD, help="not with --demo")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name), Path(name) / "home"
        run_size(folder, home, WARM_UP_ROWS)
        (folder / "prefect").rename(home)
        for rows in options.rows:
            measured.append(run_size(folder, home, rows, options.demo, options.rows_per_shard))
            print_tables(measured[-1:])
            if options.json:
                options.json.write_text(json.dumps({"sizes": measured, "growth": growth(measured)}, indent=1) + "\n")
    print_tables(measured)


if __name__ == "__main__":
    main()

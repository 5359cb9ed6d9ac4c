"""Contenders that take turns at the same work, each in a process of its own, and the table of their ratios.

All benchmarks share this form: medians over the rounds of the ratio in each round, so that a machine whose speed drifts
does not matter; `--quick` for a minute's worth, `--json FILE` for machines.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from winnow.engines.nemo.precision import bf16_speedup

Work = Callable[[], tuple[list[str], dict[str, Any]]]
"""A turn: the texts that it gave, and what there is to say of it."""


@dataclass(frozen=True)
class Turn:
    """What a turn took (CPU and wall seconds, the process's peak memory in MiB so far) and gave."""

    cpu: float
    wall: float
    mebibytes: float
    texts: list[str]
    facts: dict[str, Any] = field(default_factory=dict)


def serve(make: Callable[[Any], Work], case: Any, orders: Connection) -> None:
    """A contender's process: one turn for each order."""
    work = make(case)
    while orders.recv():
        cpu, wall = time.process_time(), time.perf_counter()
        texts, facts = work()
        spent = time.process_time() - cpu, time.perf_counter() - wall
        orders.send(Turn(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, texts, facts))


def take(contenders: dict[str, Callable[[Any], Work]], case: Any, rounds: int) -> dict[str, list[Turn]]:
    """The contenders' turns, in turn: a round to warm up, which does not count, and then `rounds`."""
    context = multiprocessing.get_context("spawn")
    lines, processes = {}, []
    for name, make in contenders.items():
        lines[name], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(make, case, theirs), daemon=True))
        processes[-1].start()
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, line in lines.items():
            line.send(True)
            turns[name].append(line.recv())
    for line, process in zip(lines.values(), processes, strict=True):
        line.send(False)
        process.join()
    return {name: found[1:] for name, found in turns.items()}


def ratio(theirs: list[Turn], ours: list[Turn], figure: str) -> float:
    """How many times as much the other took, the median over the rounds."""
    return statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in zip(theirs, ours, strict=True))


def equal(theirs: list[Turn], ours: list[Turn]) -> float:
    """The share of texts that are the same."""
    pairs = list(zip(ours[-1].texts, theirs[-1].texts, strict=True))
    return sum(one == other for one, other in pairs) / len(pairs)


def main(what: str, compare: Callable[[bool, int], Iterator[dict[str, Any]]]) -> None:
    """A benchmark as a command: `compare` is given whether to be quick and how many rounds, and yields rows."""
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a version of a minute")
    parser.add_argument("--rounds", type=int, help="rounds that count (5; 3 with --quick)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 5)
    console = Console(width=160)
    console.print(f"{device()}; medians of {rounds} rounds")
    rows = []
    with Live(console=console, vertical_overflow="visible") as live:
        for row in compare(options.quick, rounds):
            rows.append(row)
            live.update(table(rows))
            if options.json:
                options.json.write_text(json.dumps([{"device": device(), **row} for row in rows], indent=1) + "\n")


def table(rows: list[dict[str, Any]]) -> Table:
    shown = Table(*[name.replace("_", " ") for name in rows[0]])
    for row in rows:
        shown.add_row(*[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()])
    return shown


def device() -> str:
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, bf16 x {bf16_speedup():.1f}"

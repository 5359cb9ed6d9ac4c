"""Contenders that take turns at the same work, each in its own process, and the table of their ratios.

All benchmarks report the median over rounds of the ratio within each round, so that a drift in the machine's speed
cancels out. `--quick` takes about a minute; `--json FILE` writes the rows to a file.
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

from winnow.engines.precision import bf16_speedup

Work = Callable[[], tuple[list[str], dict[str, Any]]]
"""The work of one turn; it returns texts and facts about them."""


@dataclass(frozen=True)
class Turn:
    """The cost of a turn (CPU and wall-clock seconds, the process's peak memory in MiB so far) and its results."""

    cpu: float
    wall: float
    mebibytes: float
    texts: list[str]
    facts: dict[str, Any] = field(default_factory=dict)


def take_turn(work: Work) -> Turn:
    """Do the work once, and return what it cost."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    texts, facts = work()
    spent = cpu_seconds() - cpu, time.perf_counter() - wall
    return Turn(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, texts, facts)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def run_contender(make: Callable[[Any], Work], case: Any, orders: Connection) -> None:
    """Take one turn for each order that arrives; the process of a contender runs this."""
    work = make(case)
    while orders.recv():
        orders.send(take_turn(work))


def take_turns_here(contenders: dict[str, Callable[[Any], Work]], case: Any, rounds: int) -> dict[str, list[Turn]]:
    """Let contenders take turns in this process: nothing is loaded twice, and the peak memory is that of all."""
    works = {name: make(case) for name, make in contenders.items()}
    turns = [{name: take_turn(work) for name, work in works.items()} for _ in range(rounds + 1)]
    return {name: [taken[name] for taken in turns[1:]] for name in works}


def take_turns(contenders: dict[str, Callable[[Any], Work]], case: Any, rounds: int) -> dict[str, list[Turn]]:
    """Let contenders take turns for one warm-up round, which is discarded, and then for `rounds`."""
    context = multiprocessing.get_context("spawn")
    connections, processes = {}, []
    for name, make in contenders.items():
        connections[name], orders = context.Pipe()
        processes.append(context.Process(target=run_contender, args=(make, case, orders), daemon=True))
        processes[-1].start()
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, connection in connections.items():
            connection.send(True)
            turns[name].append(connection.recv())
    for connection, process in zip(connections.values(), processes, strict=True):
        connection.send(False)
        process.join()
    return {name: taken[1:] for name, taken in turns.items()}


def ratio(theirs: list[Turn], ours: list[Turn], figure: str) -> float:
    """Return the median over rounds of their figure divided by ours."""
    return statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in zip(theirs, ours, strict=True))


def equal_texts(theirs: list[Turn], ours: list[Turn]) -> float:
    """Return the fraction of texts that are equal."""
    pairs = list(zip(ours[-1].texts, theirs[-1].texts, strict=True))
    return sum(our_text == their_text for our_text, their_text in pairs) / len(pairs)


def main(description: str, compare: Callable[[bool, int], Iterator[dict[str, Any]]]) -> None:
    """Run a benchmark as a command; `compare` gets `quick` and the number of rounds, and yields rows."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a shorter version of about a minute")
    parser.add_argument("--rounds", type=int, help="measured rounds (default: 5, or 3 with --quick)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 5)
    console = Console(width=160)
    console.print(f"{device()}; medians of {rounds} rounds")
    rows = []
    with Live(console=console, vertical_overflow="visible") as live:
        for row in compare(options.quick, rounds):
            rows.append(row)
            live.update(results_table(rows))
            if options.json:
                options.json.write_text(json.dumps([{"device": device(), **row} for row in rows], indent=1) + "\n")


def results_table(rows: list[dict[str, Any]]) -> Table:
    """Tabulate rows for the terminal."""
    table = Table(*[name.replace("_", " ") for name in rows[0]])
    for row in rows:
        table.add_row(*[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()])
    return table


def device() -> str:
    """Describe the GPU, or the CPU with the speed of bf16 relative to fp32."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, bf16 speedup {bf16_speedup():.1f}"

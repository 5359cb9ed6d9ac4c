"""How long a run takes on many devices: a discrete simulation of its scheduler, with measured costs beside the model.

    python -m benchmarks.scheduling                         # 10^8 rows on 1, 8 and 64 devices
    python -m benchmarks.scheduling --rows 1000000 --rtfx 5000
    python -m benchmarks.scheduling --json FILE             # also write the figures to a file

First the CPU time beside the model is measured: of the tasks of 2,000 rows in one shard and in ten, in this process and
without Prefect (`benchmarks.scale` measures what Prefect adds for a shard; see `--shard-seconds`). Then a run is
simulated, from event to event:

- One process of the flow does all work beside the models, one piece at a time: it loads a shard, waits for a device,
  and scores, judges and publishes what came. At most one shard more than there are devices is loaded.
- A device transcribes a shard at `--rtfx` times real time. One shard in fifty takes three times as long.
- A worker dies once in 1,000 hours, and a device is taken away once in 24 hours for ten minutes, at random. What it had
  of its shard is lost. The shard is tried again after the delays of the task, up to six times.

A run has at most 1,000 shards: the hours of a shard are doubled until there are so few.
"""

import argparse
import heapq
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from prefect import Task
from rich.console import Console
from rich.table import Table

from benchmarks.scale import SECONDS, write_corpus
from flows.curate import run_curation
from flows.orchestrator import InProcess
from tasks.transcribe import RETRY_WORKERS
from winnow.parameters.curation import Curation

DEVICES = (1, 8, 64)
MOST_SHARDS = 1_000
ROW_SECONDS = 18.0  # of audio: 10^8 rows are 500,000 hours
MEASURED_ROWS, MEASURED_SHARDS = 2_000, 10
STRAGGLERS, SLOWNESS = 0.02, 3.0
DEATHS, RESTART = 1 / 1_000, 15.0  # per hour; seconds until there is a worker again
LOSSES, ABSENCE = 1 / 24, 600.0  # per hour; seconds until another device is there
DELAYS = RETRY_WORKERS["retry_delay_seconds"]


class CpuTimes(InProcess):
    """Run a flow's tasks in this process, and add up their CPU time by the name of the task."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def submit(self, task: Task[..., Any], *arguments: Any) -> Any:
        began = time.process_time()
        try:
            return super().submit(task, *arguments)
        finally:
            self.seconds[task.name] += time.process_time() - began

    def run(self, task: Task[..., Any], *arguments: Any) -> Any:
        return self.submit(task, *arguments).result()


def measure_costs(folder: Path) -> tuple[float, float]:
    """Return the CPU seconds beside the model for each shard, and for each row."""
    manifest, hypotheses = write_corpus(folder, MEASURED_ROWS)
    totals = []
    for shards in (1, 1, MEASURED_SHARDS):  # the first warms up
        hours = MEASURED_ROWS * SECONDS / 3600 / shards
        output = folder / f"run{len(totals)}"
        settings = Curation(manifest=manifest, output=str(output), small=str(hypotheses), shard_hours=hours)
        orchestrator = CpuTimes()
        run_curation(settings, orchestrator)
        by_task = orchestrator.seconds
        totals.append(
            sum(seconds for name, seconds in by_task.items() if "transcribe" not in name and "report" not in name)
        )
    shard = max(0.0, (totals[2] - totals[1]) / (MEASURED_SHARDS - 1))
    return shard, (totals[1] - shard) / MEASURED_ROWS


@dataclass(frozen=True)
class Scenario:
    """A run to simulate: its shards, seconds of a device for each, CPU seconds beside the model, and what may fail."""

    shards: int
    device_seconds: float
    before: float
    after: float
    devices: int
    faults: bool


@dataclass
class Outcome:
    """What a simulated run took, in seconds; `lost` are those of devices whose work was lost."""

    seconds: float = 0.0
    busy: float = 0.0
    lost: float = 0.0
    flow: float = 0.0
    retries: int = 0
    failed: int = 0


@dataclass
class Simulation:
    """The state of a simulated run: what happens next, and who waits for the flow's process or for a device."""

    scenario: Scenario
    random: random.Random
    outcome: Outcome = field(default_factory=Outcome)
    now: float = 0.0
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    numbers: Any = field(default_factory=count)
    flow_free: float = 0.0
    free_devices: int = 0
    ready: list[int] = field(default_factory=list)
    left: int = 0
    attempts: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def run(self) -> Outcome:
        """Simulate until no event is left."""
        self.left, self.free_devices = self.scenario.shards, self.scenario.devices
        for _ in range(min(self.left, self.scenario.devices + 1)):
            self.load()
        while self.events:
            self.now, _, act = heapq.heappop(self.events)
            act()
        self.outcome.seconds = self.now
        return self.outcome

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.events, (moment, next(self.numbers), act))

    def in_flow(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after the flow's process has worked for it, which does one thing after another."""
        self.flow_free = max(self.flow_free, self.now) + seconds
        self.outcome.flow += seconds
        self.at(self.flow_free, act)

    def load(self) -> None:
        """Load the next shard, if there is one."""
        if self.left:
            self.left -= 1
            shard = self.left
            self.in_flow(self.scenario.before, lambda: self.wait_for_device(shard))

    def wait_for_device(self, shard: int) -> None:
        self.ready.append(shard)
        self.start()

    def start(self) -> None:
        """Give shards that wait to devices that are free."""
        while self.free_devices and self.ready:
            self.free_devices -= 1
            self.transcribe(self.ready.pop(0))

    def transcribe(self, shard: int) -> None:
        """Have a device transcribe a shard, unless a fault comes first."""
        slow = self.scenario.faults and self.random.random() < STRAGGLERS
        needed = self.scenario.device_seconds * (SLOWNESS if slow else 1.0)
        fault, absence = self.next_fault()
        if fault < needed:
            self.outcome.lost += fault
            self.at(self.now + fault + absence, self.free_device)
            self.at(self.now + fault, lambda: self.try_again(shard))
        else:
            self.outcome.busy += needed
            self.at(self.now + needed, lambda: self.transcribed(shard))

    def next_fault(self) -> tuple[float, float]:
        """Return in how many seconds a device fails, and how long it is away then."""
        if not self.scenario.faults:
            return float("inf"), 0.0
        death, loss = (self.random.expovariate(rate / 3600) for rate in (DEATHS, LOSSES))
        return (death, RESTART) if death < loss else (loss, ABSENCE)

    def try_again(self, shard: int) -> None:
        attempt = self.attempts[shard]
        self.attempts[shard] += 1
        if attempt == len(DELAYS):
            self.outcome.failed += 1
            self.load()
            return
        self.outcome.retries += 1
        self.at(self.now + DELAYS[attempt], lambda: self.wait_for_device(shard))

    def transcribed(self, shard: int) -> None:
        self.free_device()
        self.load()
        self.in_flow(self.scenario.after, lambda: None)

    def free_device(self) -> None:
        self.free_devices += 1
        self.start()


def shards_of(hours: float, shard_hours: float = 1.0) -> int:
    """Return how many shards a run has."""
    while hours / shard_hours > MOST_SHARDS:
        shard_hours *= 2
    return max(1, round(hours / shard_hours))


def simulate(rows: int, rtfx: float, shard_seconds: float, row_seconds: float, seed: int) -> list[dict[str, Any]]:
    """Simulate a run on each number of devices, with faults and without."""
    hours = rows * ROW_SECONDS / 3600
    shards = shards_of(hours)
    beside = shard_seconds + row_seconds * rows / shards
    figures = []
    for devices in DEVICES:
        for faults in (False, True):
            scenario = Scenario(shards, hours * 3600 / shards / rtfx, beside / 4, 3 * beside / 4, devices, faults)
            outcome = Simulation(scenario, random.Random(seed)).run()
            figures.append(
                {
                    "devices": devices,
                    "faults": faults,
                    "hours": outcome.seconds / 3600,
                    "busy": outcome.busy / (devices * outcome.seconds),
                    "lost": outcome.lost / (outcome.busy + outcome.lost),
                    "flow": outcome.flow / outcome.seconds,
                    "retries": outcome.retries,
                    "failed": outcome.failed,
                }
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10**8, help="rows of the run, of 18 s of audio each")
    parser.add_argument(
        "--rtfx", type=float, default=3_000, help="seconds of audio that a device transcribes per second"
    )
    parser.add_argument(
        "--shard-seconds", type=float, help="CPU seconds for each shard, instead of those measured here"
    )
    parser.add_argument("--row-seconds", type=float, help="CPU seconds for each row, instead of those measured here")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    shard, row = options.shard_seconds, options.row_seconds
    if shard is None or row is None:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure_costs(Path(folder))
        shard, row = (measured[0] if shard is None else shard), (measured[1] if row is None else row)
    hours = options.rows * ROW_SECONDS / 3600
    console = Console(width=140)
    console.print(
        f"{options.rows:,} rows, {hours:,.0f} h in {shards_of(hours):,} shards; RTFx {options.rtfx:,.0f} a device; "
        f"CPU beside the model: {shard:.3f} s a shard, {1000 * row:.3f} ms a row"
    )
    figures = simulate(options.rows, options.rtfx, shard, row, options.seed)
    table = Table("devices", "faults", "hours", "devices busy", "work lost", "flow's process busy", "retries", "failed")
    for line in figures:
        shares = [f"{line[name]:.1%}" for name in ("busy", "lost", "flow")]
        faults = "yes" if line["faults"] else "no"
        counts = [str(line["retries"]), str(line["failed"])]
        table.add_row(str(line["devices"]), faults, f"{line['hours']:,.2f}", *shares, *counts)
    console.print(table)
    if options.json:
        costs = {"rows": options.rows, "rtfx": options.rtfx, "shard_seconds": shard, "row_seconds": row}
        options.json.write_text(json.dumps(costs | {"runs": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()

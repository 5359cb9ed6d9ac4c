"""A cascade: shards go from model to model, and behind each of them a gate says what goes on to the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from prefect.futures import PrefectFuture

from flows.finalize import LIGHT_TASKS
from flows.progress import Progress
from flows.streaming import Futures, Step, stream
from tasks.gate import GroupBySeconds, gate_shard
from tasks.load import load_shard
from tasks.sample import choose_gates_run, choose_sample_share, sample_shard
from tasks.score import score_shard
from tasks.transcribe import transcribe_shard, transcribe_shards
from winnow.devices.executors import Executor
from winnow.gates.criteria import Gates
from winnow.models.passes import Pass
from winnow.parameters.curation import Curation
from winnow.reports.throughput import Passes
from winnow.roles import Role
from winnow.runs.quarantine_limit import QuarantineLimit


@dataclass
class Cascade:
    """A run's passes, from the smallest model's on."""

    passes: list[Pass]
    settings: Curation
    devices: Executor
    progress: Progress
    heard: QuarantineLimit
    steps: list[tuple[Pass, Step]] = field(default_factory=list)
    """What each model has read, the large one's sample included."""
    gates: Gates | None = None
    """What the gate behind the small model goes by."""

    def read(self, shards: list[Path], decisions: Step) -> None:
        """Take shards through all models, and each as soon as it may to where its rows are judged.

        With a budget for the large model, the small one reads everything first: only then is it known how the budget
        is spent best.
        """
        first, *larger = self.passes
        small = Step(self.listen, self.slots(first), done=[self.heard.take, self.progress.read])
        self.steps.append((first, small))
        if larger and self.settings.gate.preset == "budget":
            stream(shards, small)
            sampled, self.gates = self.sample(small.results(), larger[0])
            stream(sampled, *self.escalation(larger, self.gates), decisions)
        else:
            self.gates = self.settings.gates_after_small if larger else None
            stream(shards, small, *self.escalation(larger, self.gates), decisions)

    @property
    def rows(self) -> list[Path]:
        """The shards as they were read from the manifest."""
        return self.steps[0][1].results(0)

    @property
    def read_by(self) -> Passes:
        """Each model's readings."""
        found: Passes = {}
        for reader, step in self.steps:
            _, before = found.get(reader.role, ([], []))
            found[reader.role] = reader.checkpoints, before + step.results(1 if reader.role == "small" else 0)
        return found

    def listen(self, shard: Path) -> Futures:
        rows: Any = load_shard.submit(shard, self.settings.referenced)
        readings = transcribe_shard.submit(rows, self.passes[0], self.devices)
        return [rows, readings, self.score(readings, "small")]

    def score(self, shard: Any, role: Role) -> PrefectFuture[Any]:
        return score_shard.submit(shard, role, self.settings.normalizer, self.settings.referenced)

    def slots(self, reader: Pass) -> Callable[[], int]:
        return lambda: self.devices.slots(reader.placement) + 1

    def escalation(self, larger: list[Pass], gates: Gates | None) -> Iterator[Step]:
        """For each larger model the gate before it, and its pass."""
        for reader, before in zip(larger, self.passes, strict=False):
            limits = gates if gates and reader is larger[0] else self.settings.gates_after_larger
            gate = partial(self.gate, before, reader, limits)
            gathered = GroupBySeconds(reader.role, self.settings.shard_hours * 3600)
            yield Step(gate, lambda: LIGHT_TASKS, gathered, done=[partial(self.progress.gated, reader.role)])
            yield self.listening(reader)

    def gate(self, before: Pass, reader: Pass, gates: Gates, shard: Path) -> Futures:
        scored = [self.score(shard, before.role)] if before.role != "small" else []
        rows: Any = scored[0] if scored else shard
        return [*scored, gate_shard.submit(rows, before.role, gates, reader.skipped_languages)]

    def listening(self, reader: Pass) -> Step:
        """A larger model reads shards with little to read each, several at a time."""

        def listen_again(shards: list[Path]) -> Futures:
            return [transcribe_shards.submit(shards, reader, self.devices)]

        step = Step(listen_again, self.slots(reader), done=[partial(self.progress.larger, reader.role)])
        self.steps.append((reader, step))
        return step

    def sample(self, shards: list[Path], reader: Pass) -> tuple[list[Path], Gates]:
        """The shards with the large model's readings of a sample, and the gates that follow from it."""
        share = choose_sample_share.submit(shards, self.settings).result()
        gathered = GroupBySeconds(reader.role, self.settings.shard_hours * 3600)
        asked = partial(self.progress.gated, reader.role)

        def draw(shard: Path) -> Futures:
            return [sample_shard.submit(shard, share, self.settings.gates_after_small)]

        mark = Step(draw, lambda: LIGHT_TASKS, gathered, done=[asked])
        sampling = self.listening(reader)
        stream(shards, mark, sampling)
        sampled = sampling.results()
        return sampled, choose_gates_run.submit(sampled, self.settings, share).result()

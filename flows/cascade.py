"""A cascade: shards go from model to model, and after each a gate decides which rows go on to the next one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from flows.orchestrator import Future
from flows.pipeline import Pipeline
from flows.progress import Progress
from flows.streaming import Futures, Step, stream
from tasks.calibrate import calibrate_run, choose_accept_run, choose_bands_run
from tasks.gate import gate_shard
from tasks.sample import choose_gates_run, choose_sample_share, sample_shard
from tasks.transcribe import transcribe_shards
from winnow.evidence.calibration import Calibration
from winnow.evidence.planting import SampleShares
from winnow.gates.criteria import Gates
from winnow.models.passes import Pass, seconds_to_transcribe
from winnow.parameters.curation import Curation
from winnow.reports.throughput import Passes
from winnow.roles import Role

MAX_GROUP_SHARDS = 32  # shards; what is not committed before the last of them was transcribed is lost in a crash


class GroupBySeconds:
    """Groups of gated shards with about this many seconds for the next model, so that its batches are full.

    Shards are grouped in the order in which they are added, so that another run makes the same groups.
    """

    def __init__(self, role: Role, seconds: float) -> None:
        self.role, self.seconds = role, seconds
        self._waiting: list[Path] = []
        self._waiting_seconds = 0.0

    def add(self, shard: Path) -> list[list[Path]]:
        """Add a shard and return the groups that are full with it."""
        self._waiting.append(shard)
        self._waiting_seconds += seconds_to_transcribe(shard, self.role)
        full = self._waiting_seconds >= self.seconds or len(self._waiting) == MAX_GROUP_SHARDS
        return self.rest() if full else []

    def rest(self) -> list[list[Path]]:
        """Return the remaining shards as a group, if there are any."""
        group, self._waiting, self._waiting_seconds = self._waiting, [], 0.0
        return [group] if group else []


@dataclass
class Cascade:
    """The passes of a run, from the smallest model to the largest, and the gates between them."""

    pipeline: Pipeline
    settings: Curation
    passes: list[Pass]
    progress: Progress
    read: list[Path] = field(default_factory=list)
    """The shards as they were read from the manifest, where all were before the first pass."""
    shares: SampleShares | None = None
    """Of the references, those that errors are planted into, where they are judged by their doubt."""
    transcriptions: list[tuple[Pass, Step]] = field(default_factory=list)
    """Each pass with its step; a sample for the large model is a separate step."""
    gates: Gates | None = None
    """The limits of the gate after the small model."""
    calibration: Calibration | None = None
    """What planted errors tell, where references are judged by their doubt."""

    @property
    def by_evidence(self) -> bool:
        """Whether references are judged by their doubt."""
        return self.shares is not None

    def run(self, decisions: Step) -> None:
        """Take all shards through the models and on to the decisions, each as soon as possible.

        Where limits are found on the corpus itself, by planted errors or by a sample for a budget, each model first
        transcribes everything: only then are they known.
        """
        shards, (first, *larger) = self.read or self.pipeline.manifest.shards, self.passes
        quarantine = self.pipeline.quarantine_limit()
        small = Step(
            self.transcribe_all,
            partial(self.pipeline.slots, first),
            on_result=[
                quarantine.add,
                partial(self.progress.transcribed, first.role),
                self.pipeline.cost_estimate(first, reads_all=True).add,
            ],
        )
        self.transcriptions.append((first, small))
        if self.by_evidence:
            stream(shards, small)
            shards = self.escalate_by_evidence(small.results(), larger)
            self.calibration = self.pipeline.orchestrator.run(calibrate_run, shards, self.settings, self.gates)
            stream(shards, decisions)
        elif larger and self.settings.gate.preset == "budget":
            stream(shards, small)
            shards, self.gates = self.sample(small.results(), larger[0])
            stream(shards, *self.escalation(larger, self.gates), decisions)
        else:
            self.gates = self.settings.gates_after_small if larger else None
            stream(shards, small, *self.escalation(larger, self.gates), decisions)

    @property
    def loaded(self) -> list[Path]:
        """The shards as they were read from the manifest."""
        _, small = self.transcriptions[0]
        return self.read or small.results(0)

    @property
    def transcribed(self) -> Passes:
        """The checkpoints of each pass and the shards that it wrote."""
        passes: Passes = {}
        for model_pass, step in self.transcriptions:
            _, earlier = passes.get(model_pass.role, ([], []))
            shards = step.results(-2 if model_pass.role == "small" else 0)
            passes[model_pass.role] = model_pass.checkpoints, earlier + shards
        return passes

    def transcribe_all(self, shard: Path) -> Futures:
        """Submit the first pass, which transcribes every row of the shard."""
        chain: list[Future] = [] if self.read else [self.pipeline.load(shard)]
        if self.shares:
            chain.append(self.pipeline.plant(chain[-1] if chain else shard, self.shares))
        chain.append(self.pipeline.transcribe(chain[-1] if chain else shard, self.passes[0]))
        return [*chain, self.pipeline.score(chain[-1], "small")]

    def escalate_by_evidence(self, shards: list[Path], larger: list[Pass]) -> list[Path]:
        """Take all shards through the larger models, each gate by limits that the models before it show."""
        orchestrator = self.pipeline.orchestrator
        gates: Gates | None = None
        for model_pass, before in zip(larger, self.passes, strict=False):
            if gates is None:
                gates = self.gates = orchestrator.run(choose_bands_run, shards, self.settings)
            else:
                gates = orchestrator.run(choose_accept_run, shards, self.settings, self.gates, before.role)
            transcription = self.transcribe_escalated(model_pass)
            score = Step(partial(self.score, model_pass.role))
            stream(shards, self.gate(before, model_pass, gates), transcription, score)
            shards = score.results()
        return shards

    def score(self, role: Role, shard: Path) -> Futures:
        return [self.pipeline.score(shard, role)]

    def escalation(self, larger: list[Pass], gates: Gates | None) -> Iterator[Step]:
        """Yield two steps for each larger model: the gate before it, and its pass."""
        for model_pass, before in zip(larger, self.passes, strict=False):
            limits = gates if gates and model_pass is larger[0] else self.settings.gates_after_larger
            yield self.gate(before, model_pass, limits)
            yield self.transcribe_escalated(model_pass)

    def gate(self, before: Pass, model_pass: Pass, gates: Gates) -> Step:
        """Return the gate after the pass `before`, which decides what the next pass transcribes."""

        def submit(shard: Path) -> Futures:
            is_scored = before.role == "small" or self.by_evidence
            scored = [] if is_scored else [self.pipeline.score(shard, before.role)]
            limits = before.role, gates, model_pass.skipped_languages
            gated = self.pipeline.orchestrator.submit(gate_shard, scored[0] if scored else shard, *limits)
            return [*scored, gated]

        return Step(submit, grouping=self.groups(model_pass.role), on_result=[self.escalated(model_pass.role)])

    def transcribe_escalated(self, model_pass: Pass) -> Step:
        """Return a larger model's pass; it takes several shards at once because few of their rows are escalated."""

        def submit(shards: list[Path]) -> Futures:
            return [self.pipeline.orchestrator.submit(transcribe_shards, shards, model_pass, self.pipeline.devices)]

        progress = partial(self.progress.transcribed_by_larger, model_pass.role)
        cost = self.pipeline.cost_estimate(model_pass, reads_all=False)
        step = Step(submit, partial(self.pipeline.slots, model_pass), on_result=[progress, cost.add])
        self.transcriptions.append((model_pass, step))
        return step

    def sample(self, shards: list[Path], large: Pass) -> tuple[list[Path], Gates]:
        """Have the large model transcribe a sample; return the shards with it, and the limits that follow from it."""
        orchestrator = self.pipeline.orchestrator
        share = orchestrator.run(choose_sample_share, shards, self.settings)
        gates = self.settings.gates_after_small

        def submit(shard: Path) -> Futures:
            return [orchestrator.submit(sample_shard, shard, share, gates)]

        draw = Step(submit, grouping=self.groups(large.role), on_result=[self.escalated(large.role)])
        transcription = self.transcribe_escalated(large)
        stream(shards, draw, transcription)
        sampled = transcription.results()
        return sampled, orchestrator.run(choose_gates_run, sampled, self.settings, share)

    def groups(self, role: Role) -> GroupBySeconds:
        return GroupBySeconds(role, self.settings.shard_hours * 3600)

    def escalated(self, role: Role) -> partial[None]:
        return partial(self.progress.escalated, role)

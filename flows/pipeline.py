"""An open run: its folder, its devices, its manifest in shards, and the tasks that every run submits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.cost_estimate import CostEstimate
from flows.orchestrator import Future, Orchestrator
from tasks.count_duplicates import count_duplicates_run
from tasks.filter import filter_shard
from tasks.listen import listen_shard
from tasks.load import load_shard
from tasks.plant import plant_shard
from tasks.score import score_shard
from tasks.shard import shard_manifest
from tasks.transcribe import transcribe_shard
from winnow.corpora.registry import corpus_of
from winnow.devices.executors import Executor, open_executor
from winnow.engines.registry import versions_for
from winnow.evidence.calibration import Calibration
from winnow.evidence.planting import SampleShares
from winnow.models.measuring import Measuring
from winnow.models.passes import Pass
from winnow.parameters.ensemble import Settings
from winnow.roles import Role
from winnow.rules.rule import Rules
from winnow.runs.ledger import name_of
from winnow.runs.quarantine_limit import QuarantineLimit
from winnow.runs.run_dir import open_run
from winnow.schema import ShardedManifest
from winnow.telemetry.exporters import start_exporting
from winnow.text.normalize import Normalizer
from winnow.validation.engine_options import check_options
from winnow.validation.listening import measuring_for
from winnow.validation.rules import phrase_digest

ENDPOINT_SHARDS = 4
"""Shards whose rows are sent to an endpoint at the same time, so that none of its places is empty at the end of one."""


@dataclass(frozen=True)
class Pipeline:
    """What the steps of a run share. Shards are paths, or futures of tasks whose results are paths.

    `digest` is that of the input, as the run recorded it.
    """

    settings: Settings
    rules: Rules
    run: Path
    devices: Executor
    manifest: ShardedManifest
    digest: str
    orchestrator: Orchestrator
    measuring: Measuring | None = None

    def load(self, shard: Path) -> Future:
        """Read a shard's rows from the manifest."""
        return self.orchestrator.submit(load_shard, shard, self.settings.referenced)

    def plant(self, shard: Path | Future, shares: SampleShares) -> Future:
        """Plant errors into a sample of the references."""
        return self.orchestrator.submit(plant_shard, shard, shares, self.settings.comparison)

    def transcribe(self, shard: Path | Future, model_pass: Pass) -> Future:
        return self.orchestrator.submit(transcribe_shard, shard, model_pass, self.devices)

    def score(self, shard: Path | Future, role: Role) -> Future:
        """Compare a model's hypotheses with the references."""
        return self.orchestrator.submit(score_shard, shard, role, self.settings.comparison, self.settings.referenced)

    def listen(self, shard: Path | Future) -> list[Future]:
        """Add what measures find in the audio; no task if nothing is measured."""
        return [self.orchestrator.submit(listen_shard, shard, self.measuring)] if self.measuring else []

    def filter(self, shard: Path | Future, duplicates: Path | None, calibration: Calibration | None = None) -> Future:
        """Decide by the rules; `duplicates` is the shard's file of `count_duplicates`."""
        rules = self.rules.with_limits(calibration.limits) if calibration else self.rules
        return self.orchestrator.submit(filter_shard, shard, rules, self.settings.comparison, duplicates)

    def quarantine_limit(self) -> QuarantineLimit:
        """Return a new count of quarantined utterances."""
        utterances = self.manifest.lines - self.manifest.blank
        return QuarantineLimit(utterances, self.settings.max_quarantined, self.settings.referenced)

    def cost_estimate(self, model_pass: Pass, *, reads_all: bool) -> CostEstimate:
        """Return what logs the cost of a pass after its first result; `reads_all` if it transcribes the whole input."""
        hours = sum(self.manifest.seconds) / 3600 if reads_all else None
        return CostEstimate(self.run, self.settings, model_pass, hours)

    def slots(self, model_pass: Pass) -> int:
        """How many of the pass's tasks run at once: one more than there are devices, so that none of them waits."""
        return ENDPOINT_SHARDS if model_pass.elsewhere else self.devices.slots(model_pass.placement) + 1


@contextmanager
def open_pipeline(
    settings: Settings, rules: Rules, passes: list[Pass], orchestrator: Orchestrator
) -> Iterator[Pipeline]:
    """Open the run's folder and devices, watch the server, and split the manifest into shards.

    The first of the passes, which decodes all audio, also measures it.
    """
    start_exporting()
    source = corpus_of(settings)
    source.check()
    digest = source.digest()
    digests: dict[str, str | None] = {"manifest": digest, **phrase_digest(rules)}
    for model_pass in passes:
        digests |= model_pass.digests
    if measuring := measuring_for(settings, rules):
        passes[0] = passes[0].model_copy(update={"measuring": measuring})
    checkpoints = [checkpoint for model_pass in passes for checkpoint in model_pass.checkpoints]
    check_options(settings.engine, checkpoints)
    with (
        open_run(settings, digests, orchestrator.owner(), orchestrator.mark_crashed, versions_for(checkpoints)) as run,
        open_executor(settings) as devices,
    ):
        orchestrator.watch(run, ["resume", str(run)])
        read_as = settings.audio_folder, settings.referenced, settings.columns
        manifest = orchestrator.run(shard_manifest, settings.manifest, run, settings.shard_hours, digest, *read_as)
        yield Pipeline(settings, rules, run, devices, manifest, digest, orchestrator, measuring)


def count_duplicates(
    rules: Rules,
    loaded: list[Path],
    normalizer: Normalizer,
    orchestrator: Orchestrator,
    relabelled: Sequence[Path] = (),
) -> dict[str, Path]:
    """Count equal references over the whole run, if a rule needs that; those of a relabelled run are `relabelled`.

    Return a file for each shard by its number; nothing if no rule needs it.
    """
    if not rules.needs_whole_run:
        return {}
    return {name_of(file): file for file in orchestrator.run(count_duplicates_run, loaded, normalizer, relabelled)}

"""A run that reuses the hypotheses of a finished one: it is opened with what the original has, judged and published."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.finalize import publish
from flows.judging import compares_utterances, judge_related
from flows.orchestrator import Future, Orchestrator
from flows.pipeline import count_duplicates
from flows.streaming import Futures, Step, stream
from tasks.deduplicate import deduplicate_run
from tasks.filter import filter_shard
from tasks.listen import listen_shard
from tasks.report import report_derived_run
from tasks.review import review_shard
from winnow.parameters.ensemble import Settings
from winnow.reports.derived import calibration_of
from winnow.reports.summary import Report
from winnow.runs.ledger import name_of
from winnow.runs.reuse import reuse_hypotheses, sharded_manifest
from winnow.runs.run_dir import open_run
from winnow.runs.run_record import Derivation
from winnow.runs.storage import location
from winnow.sweep.outcomes import run_stages
from winnow.validation.listening import measuring_for
from winnow.validation.rules import rules_for


@dataclass(frozen=True)
class DerivedRun:
    """An open run that has the shards of all stages before the rules from the run in `original`."""

    run: Path
    original: Path
    settings: Settings
    orchestrator: Orchestrator
    stages: dict[str, list[Path]]
    """The files of the original, by stage."""

    def shards(self, stage: str) -> list[Path]:
        """Return its shards of a stage; there are none if the original has no such stage."""
        return [self.run / file.relative_to(self.original) for file in self.stages.get(stage, [])]

    def review(self, scored: list[Path], verdicts: Path) -> list[Path]:
        """Apply the verdicts in a file to scored shards."""
        reviewed = Step(
            lambda shard: [self.orchestrator.submit(review_shard, shard, verdicts, self.settings.comparison)]
        )
        stream(scored, reviewed)
        return reviewed.results()

    def judge(self, scored: list[Path], relabelled: Sequence[Path] = ()) -> Report:
        """Judge scored shards, publish them and report on them.

        `relabelled` are the shards with the references of the run, if they are not those of the manifest.
        """
        settings, orchestrator, loaded = self.settings, self.orchestrator, self.shards("load")
        calibration = calibration_of(self.original, settings)
        rules = rules_for(settings, calibration)
        measuring = measuring_for(settings, rules)
        duplicates = count_duplicates(rules, loaded, settings.normalizer, orchestrator, relabelled)

        def decide(shard: Path) -> Futures:
            heard = [orchestrator.submit(listen_shard, shard, measuring)] if measuring else []
            return heard if waits else [*heard, judge(heard[0] if heard else shard, name_of(shard))]

        def judge(shard: Path | Future, name: str) -> Future:
            return orchestrator.submit(filter_shard, shard, rules, settings.comparison, duplicates.get(name))

        waits, decisions = compares_utterances(measuring), Step(decide)
        stream(scored, decisions)
        judged = decisions.results()
        if waits:
            judged = judge_related(judged, measuring, judge, orchestrator)
        filtered = orchestrator.run(deduplicate_run, judged)
        published = publish(filtered, loaded, self.run, orchestrator)
        result = filtered, published, sharded_manifest(self.run), self.original, settings, self.run, calibration
        return orchestrator.run(report_derived_run, *result, orchestrator)


@contextmanager
def open_derived(
    origin: Derivation,
    settings: Settings,
    inputs: dict[str, str | None],
    orchestrator: Orchestrator,
) -> Iterator[DerivedRun]:
    """Open a run of this origin in the output of `settings`, and take over what the original has before the rules.

    `inputs` are the sha256 of what the run is made from.
    """
    original = location(origin.run)
    with open_run(settings, inputs, orchestrator.owner(), orchestrator.mark_crashed, derived=origin) as run:
        reuse_hypotheses(original, run)
        yield DerivedRun(run, original, settings, orchestrator, run_stages(original))

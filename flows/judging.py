"""Judging after all utterances are known, where a measure compares them with each other."""

from collections.abc import Callable
from pathlib import Path

from flows.orchestrator import Future, Orchestrator
from flows.streaming import Step, stream
from tasks.relate import relate_run
from winnow.listening.registry import of_run
from winnow.models.measuring import Measuring
from winnow.runs.ledger import name_of


def compares_utterances(measuring: Measuring | None) -> bool:
    """Tell whether shards can be judged only after every one was listened to."""
    return measuring is not None and bool(of_run(measuring.measures))


def judge_related(
    listened: list[Path],
    measuring: Measuring | None,
    judge: Callable[[Path, str], Future],
    orchestrator: Orchestrator,
) -> list[Path]:
    """Compare the utterances of a run with each other, and then judge each shard, given its file and its number."""
    judging = Step(lambda shard: [judge(shard, name_of(shard))])
    related = orchestrator.run(relate_run, listened, measuring)
    stream(related, judging)
    return judging.results()

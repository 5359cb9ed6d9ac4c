"""Spend a budget for the large model: mark a sample that it transcribes first, then choose the gate's limits by it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.gates.budget import Budget, choose_gates
from winnow.gates.candidates import CANDIDATE_COLUMNS, RESCUE_COLUMNS, is_sampled, share_to_sample
from winnow.gates.criteria import Gates
from winnow.parameters.curation import Curation
from winnow.runs.ledger import commit, find_record, key_of, run_of, run_stage_on_shard
from winnow.runs.shard_files import read_table
from winnow.schema import after_sample, append_columns


def sample(scored: pa.Table, share: float, gates: Gates) -> pa.Table:
    """Add `audit`: the rows that the large model transcribes before the limits are chosen.

    They are this share (0 to 1) of what the gates do not accept, and of what they accept as many as are audited anyway.
    """
    audit = pa.array(is_sampled(scored, share, gates))
    return append_columns(scored, after_sample(scored.schema), {"audit": audit})


@task(task_run_name="sample {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def sample_shard(shard: Path, share: float, gates: Gates) -> Path:
    return run_stage_on_shard(shard, "sample", sample, share=share, gates=gates)


@task(task_run_name="choose size of sample", cache_policy=NO_CACHE, **RETRY)
def choose_sample_share(shards: list[Path], settings: Curation) -> float:
    """Return the share (0 to 1) of the candidates to sample."""
    tables = read_shards(shards, CANDIDATE_COLUMNS)
    return share_to_sample(tables, settings.gates_after_small, settings.gate.budget_share)


@task(task_run_name="choose limits of gate", cache_policy=NO_CACHE, **RETRY)
def choose_gates_run(shards: list[Path], settings: Curation, share: float) -> Gates:
    """Return the gates for sampled shards; they are recorded, so that a resumed run has the same ones."""
    run = run_of(shards[0])
    key = key_of("gates", [shard.name for shard in shards], settings.gate, settings.filter, settings.comparison, share)
    if (record := find_record(run, key)) is None:
        gates = settings.gates_after_small
        budget = Budget(settings.gate.budget_share, gates, settings.filter.max_kept_wer, settings.comparison)
        gates = choose_gates(read_shards(shards, {*CANDIDATE_COLUMNS, *RESCUE_COLUMNS}), budget, share)
        record = commit(run, key, [], stage="gates", shard="all", facts=gates.model_dump(mode="json"))
    return Gates.model_validate(record["facts"])


def read_shards(shards: list[Path], columns: Iterable[str]) -> Iterator[pa.Table]:
    """Read these columns of each shard."""
    return (read_table(shard, columns=sorted(columns)) for shard in shards)

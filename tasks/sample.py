"""A budget for the large model: it reads a sample of what the small one has read, and then what it rescues most of."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.gates.budget import (
    NEEDED,
    TEXTS,
    choose_bands,
    sample,
    share_to_sample,
)
from winnow.gates.criteria import Gates
from winnow.parameters.curation import Curation
from winnow.runs.ledger import commit, find_record, key_of, run_of, run_stage_on_shard
from winnow.runs.storage import read_table


def read_each(shards: list[Path], columns: Iterable[str]) -> Iterator[pa.Table]:
    return (read_table(shard, columns=sorted(columns)) for shard in shards)


def choose_gates_once(shards: list[Path], settings: Curation, share: float) -> Gates:
    """The gates for shards of which a sample was read; once, so that a run that goes on has the same ones."""
    run = run_of(shards[0])
    key = key_of("gates", [shard.name for shard in shards], settings.gate, settings.filter, settings.normalizer, share)
    if (done := find_record(run, key)) is None:
        gates = choose_bands(read_each(shards, {*NEEDED, *TEXTS}), settings, share)
        done = commit(run, key, [], stage="gates", shard="all", facts=gates.model_dump(mode="json"))
    return Gates(**done["facts"])


@task(task_run_name="draw a sample", cache_policy=NO_CACHE, **RETRY)
def draw_sample(shards: list[Path], settings: Curation) -> float:
    return share_to_sample(read_each(shards, NEEDED), settings)


@task(task_run_name="sample {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def sample_shard(shard: Path, share: float, gates: Gates) -> Path:
    return run_stage_on_shard(shard, "sample", sample, share=share, gates=gates)


@task(task_run_name="choose the band to escalate", cache_policy=NO_CACHE, **RETRY)
def choose_gates(shards: list[Path], settings: Curation, share: float) -> Gates:
    return choose_gates_once(shards, settings, share)

"""Choose the limits of doubt by planted errors, and tell which share of such errors a run finds."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.calibration import Calibration, calibrate, larger_limit, small_band
from winnow.evidence.gather import ModelEvidence, evidence_columns, gather_evidence
from winnow.evidence.limits import Band
from winnow.evidence.planting import sample_share
from winnow.gates.criteria import GateLimits, Gates
from winnow.parameters.curation import Curation
from winnow.roles import Role
from winnow.runs.ledger import commit, find_record, key_of, run_of
from winnow.runs.shard_files import read_schema, read_table

AUDIT_SHARE = 0.2
"""The part of what a large model may transcribe that shows what it would have found in what it does not."""


def band(gates: Gates) -> Band:
    """Return the doubts that a gate escalates."""
    limits = gates.limits["evidence"]
    accept = -1.0 if limits.accept is None else limits.accept
    return Band(accept, float("inf") if limits.reject is None else limits.reject)


def choose_bands(small: ModelEvidence, settings: Curation, utterances: int) -> Gates:
    """Return the gates after the small model, whose limits of doubt keep within what the large one may transcribe."""
    gates, budget = settings.gates_after_small, settings.escalate_share
    audit = max(gates.audit, min(sample_share(utterances), AUDIT_SHARE * budget))
    chosen = small_band(small, settings.filter.lose_share, max(0.0, budget - audit))
    given = gates.limits["evidence"]
    limits = GateLimits(
        chosen.accept if given.accept is None else given.accept,
        chosen.reject if given.reject is None else given.reject,
    )
    return gates.model_copy(update={"by": "evidence", "limits": gates.limits | {"evidence": limits}, "audit": audit})


@task(task_run_name="choose limits of doubt", cache_policy=NO_CACHE, **RETRY)
def choose_bands_run(shards: list[Path], settings: Curation, utterances: int) -> Gates:
    """Return the gates after the small model; they are recorded, so that a resumed run has the same ones."""
    run = run_of(shards[0])
    key = key_of("bands", [shard.name for shard in shards], settings.gate, settings.filter)
    if (record := find_record(run, key)) is None:
        gates = choose_bands(gather_evidence(read_shards(shards, "small"), "small"), settings, utterances)
        record = commit(run, key, [], stage="bands", shard="all", facts=gates.model_dump(mode="json"))
    return Gates.model_validate(record["facts"])


@task(task_run_name="choose limits of doubt after {role}", cache_policy=NO_CACHE, **RETRY)
def choose_accept_run(shards: list[Path], settings: Curation, gates: Gates, role: Role) -> Gates:
    """Return the gates after a larger model: what it does not doubt is accepted, and the rest escalated."""
    small, larger = (gather_evidence(read_shards(shards, name), name) for name in ("small", role))
    limit = larger_limit(small, larger, band(gates), settings.filter.lose_share).limit
    after = settings.gates_after_larger
    limits = after.limits | {"evidence": GateLimits(accept=limit)}
    return after.model_copy(update={"by": "evidence", "limits": limits})


@task(task_run_name="calibrate", cache_policy=NO_CACHE, **RETRY)
def calibrate_run(shards: list[Path], settings: Curation, gates: Gates | None) -> Calibration:
    """Return what planted errors tell of the run, from the scored shards; `gates` are those after the small model."""
    evidence = {role: gather_evidence(read_shards(shards, role), role) for role in settings.roles}
    calibration = calibrate(evidence, band(gates) if gates else None, settings.filter.lose_share)
    return calibration if settings.filter.max_doubt is None else calibration.with_limit(settings.filter.max_doubt)


def read_shards(shards: Iterable[Path], role: Role) -> Iterator[pa.Table]:
    """Read what a model says of the references in each shard."""
    wanted = set(evidence_columns(role))
    return (read_table(shard, columns=[name for name in read_schema(shard).names if name in wanted]) for shard in shards)

"""Choose the limits of doubt by planted errors, and tell which share of such errors a run finds."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.calibration import Calibration, larger_limit
from winnow.evidence.gather import ModelEvidence
from winnow.evidence.limits import choose_band
from winnow.evidence.planting import sample_share
from winnow.gates.criteria import GateLimits, Gates
from winnow.parameters.curation import Curation
from winnow.roles import Role
from winnow.runs.evidence import calibrate_shards, escalated_band, read_evidence, seconds_by_wer
from winnow.runs.ledger import commit, find_record, key_of, run_of

AUDIT_SHARE = 0.05
"""The part of what a large model may transcribe that shows what it would find in what it does not."""


def choose_bands(small: ModelEvidence, settings: Curation, utterances: int, spent: float = 0.0) -> Gates:
    """Return the gates after the small model, with limits of doubt within what the large model may transcribe.

    `utterances` are those of the run, `spent` the seconds that it escalates without evidence. Limits that are given
    stand; what the filter keeps by its own limit is never rejected, and what it drops never accepted.
    """
    gates, budget = settings.gates_after_small, settings.escalate_share
    audit = max(gates.audit, min(sample_share(utterances), AUDIT_SHARE * budget))
    limits = gates.limits["evidence"]
    if settings.gate.preset != "everything":
        band = choose_band(small, settings.filter.lose_share, budget, audit, limits.reject, spent)
        accept, reject = band if limits.accept is None else (limits.accept, max(limits.accept, band.reject))
        if (kept := settings.filter.max_doubt) is not None:
            accept, reject = min(accept, kept), reject if limits.reject is not None else max(reject, kept)
        limits = GateLimits(accept, reject)
    return gates.model_copy(update={"by": "evidence", "limits": gates.limits | {"evidence": limits}, "audit": audit})


@task(task_run_name="choose limits of doubt", cache_policy=NO_CACHE, **RETRY)
def choose_bands_run(shards: list[Path], settings: Curation, utterances: int) -> Gates:
    """Return the gates after the small model; they are recorded, so that a resumed run has the same ones."""
    run = run_of(shards[0])
    key = key_of("bands", [shard.name for shard in shards], settings.gate, settings.filter)
    if (record := find_record(run, key)) is None:
        spent = seconds_by_wer(shards, settings.gates_after_small)
        gates = choose_bands(read_evidence(shards, "small"), settings, utterances, spent)
        record = commit(run, key, [], stage="bands", shard="all", facts=gates.model_dump(mode="json"))
    return Gates.model_validate(record["facts"])


@task(task_run_name="choose limit of doubt after {role}", cache_policy=NO_CACHE, **RETRY)
def choose_accept_run(shards: list[Path], settings: Curation, gates: Gates, role: Role) -> Gates:
    """Return the gates after a larger model: what it does not doubt is accepted, and the rest escalated."""
    after, limit = settings.gates_after_larger, settings.filter.max_doubt
    if limit is None:
        small, larger = (read_evidence(shards, name) for name in ("small", role))
        limit = larger_limit(small, larger, escalated_band(gates), settings.filter.lose_share)
    limits = after.limits | {"evidence": GateLimits(accept=limit)}
    return after.model_copy(update={"by": "evidence", "limits": limits})


@task(task_run_name="calibrate", cache_policy=NO_CACHE, **RETRY)
def calibrate_run(shards: list[Path], settings: Curation, gates: Gates | None) -> Calibration:
    """Return what planted errors tell of the run, from scored shards; `gates` are those after the small model."""
    return calibrate_shards(shards, settings, gates)

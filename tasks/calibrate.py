"""Choose the limits of doubt by planted errors, and tell which share of such errors a run finds."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.evidence.calibration import Calibration, larger_limit
from winnow.evidence.gather import ModelEvidence
from winnow.evidence.languages import split_by_language
from winnow.evidence.limits import choose_band
from winnow.gates.criteria import GateLimits, Gates
from winnow.parameters.curation import Curation
from winnow.roles import Role
from winnow.runs.evidence import calibrate_shards, escalated_bands, read_evidence, seconds_by_wer
from winnow.runs.ledger import commit, find_record, key_of, run_of

NOTHING: Mapping[str | None, float] = MappingProxyType({})


def choose_bands(small: ModelEvidence, settings: Curation, spent: Mapping[str | None, float] = NOTHING) -> Gates:
    """Return the gates after the small model, with limits of doubt within what the large model may transcribe.

    `spent` are the seconds that it escalates without evidence, by the tag of the language. In each language with limits
    of its own the large model may transcribe the same share.
    """
    gates = settings.gates_after_small.model_copy(update={"by": "evidence"})
    if settings.gate.preset == "everything":
        return gates
    routed, limits = settings.roles_by_language, {}
    split = split_by_language({"small": small}, routed)
    for language, part in split.limits_from():
        if "large" in routed.get(language or "", settings.roles):
            seconds = sum(value for tag, value in spent.items() if split.limits_for(tag) == language)
            limits[language] = choose_limits(part["small"], settings, seconds)
    return gates.with_limits("evidence", split.with_shared(limits))


def choose_limits(small: ModelEvidence, settings: Curation, spent: float) -> GateLimits:
    """Return limits of doubt within what the large model may transcribe, `spent` seconds of it without evidence.

    Limits that are given stand; what the filter keeps by its own limit is never rejected, and what it drops never
    accepted.
    """
    given = settings.gates_after_small.limits["evidence"]
    band = choose_band(
        small, settings.filter.lose_share, settings.escalate_share, settings.gate.audit, given.reject, spent
    )
    accept, reject = band if given.accept is None else (given.accept, max(given.accept, band.reject))
    if (kept := settings.filter.max_doubt) is not None:
        accept, reject = min(accept, kept), reject if given.reject is not None else max(reject, kept)
    return GateLimits(accept, reject)


@task(task_run_name="choose limits of doubt", cache_policy=NO_CACHE, **RETRY)
def choose_bands_run(shards: list[Path], settings: Curation) -> Gates:
    """Return the gates after the small model; they are recorded, so that a resumed run has the same ones."""
    run = run_of(shards[0])
    key = key_of("bands", [shard.name for shard in shards], settings.gate, settings.filter)
    if (record := find_record(run, key)) is None:
        spent = seconds_by_wer(shards, settings.gates_after_small)
        gates = choose_bands(read_evidence(shards, "small"), settings, spent)
        record = commit(run, key, [], stage="bands", shard="all", facts=gates.model_dump(mode="json"))
    return Gates.model_validate(record["facts"])


@task(task_run_name="choose limit of doubt after {role}", cache_policy=NO_CACHE, **RETRY)
def choose_accept_run(shards: list[Path], settings: Curation, gates: Gates, role: Role) -> Gates:
    """Return the gates after a larger model: what it does not doubt is accepted, and the rest escalated."""
    after, limit = settings.gates_after_larger.model_copy(update={"by": "evidence"}), settings.filter.max_doubt
    if limit is not None:
        return after.with_limits("evidence", {None: GateLimits(accept=limit)})
    evidence, bands = {name: read_evidence(shards, name) for name in ("small", role)}, escalated_bands(gates)
    split, limits = split_by_language(evidence, settings.roles_by_language), {}
    for language, part in split.limits_from():
        if role in part:
            band = bands.get(language, bands[None])
            limits[language] = GateLimits(larger_limit(part["small"], part[role], band, settings.filter.lose_share))
    return after.with_limits("evidence", split.with_shared(limits))


@task(task_run_name="calibrate", cache_policy=NO_CACHE, **RETRY)
def calibrate_run(shards: list[Path], settings: Curation, gates: Gates | None) -> Calibration:
    """Return what planted errors tell of the run, from scored shards; `gates` are those after the small model."""
    return calibrate_shards(shards, settings, gates)

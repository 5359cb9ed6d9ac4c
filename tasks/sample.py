"""A budget for the large model: it reads a sample of what the small one has read, and then what it rescues most of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.gates.budget import BudgetRows, Flags, Numbers, best_band
from winnow.gates.criteria import Gates, assign_bands, gates_for_small
from winnow.gates.sampling import draw_numbers, sample_share
from winnow.parameters.curation import Curation
from winnow.parameters.gate_and_filter import Bands
from winnow.runs.ledger import commit, find_record, key_of, run_of, run_stage_on_shard
from winnow.runs.storage import read_table
from winnow.schema import after_sample, append_columns
from winnow.text.metrics import compare_texts
from winnow.text.normalize import normalize

BUDGET = 0.4
NO_DOUBT = -1.0  # less than there is: nothing is believed unless it lies below the band
NEEDED = ("id", "reason", "duration", "small_wer", "small_confidence", "small_pred_text")
"""What is needed of every row to spend a budget."""

TEXTS = ("text", "small_pred_text", "large_pred_text")


def sample(scored: pa.Table, share: float, gates: Gates) -> pa.Table:
    """Add `audit`: which rows the large model reads before there are bands, to measure what it rescues.

    They are a share of what these gates do not accept, and of what they accept as much as is audited anyway.
    """
    return append_columns(scored, after_sample(scored.schema), pa.array(sampled(scored, share, gates)))


def sampled(scored: pa.Table, share: float, gates: Gates) -> Flags:
    drawn = draw_numbers(scored["id"])
    return is_transcribed(scored) & is_candidate(scored, drawn, gates) & (drawn < share)


def is_candidate(scored: pa.Table, drawn: Numbers, gates: Gates) -> Flags:
    accepted = np.asarray(pc.equal(assign_bands(scored, "small", gates), "accept"), bool)
    return np.asarray(~accepted | (drawn < gates.audit), bool)


def is_transcribed(rows: pa.Table) -> Flags:
    return np.asarray(pc.and_(pc.is_null(rows["reason"]), pc.is_valid(rows["small_pred_text"])), bool)


def share_to_sample(shards: Iterable[pa.Table], settings: Curation) -> float:
    """How large a sample the budget allows."""
    gates = gates_for_small(settings)

    def part(rows: pa.Table) -> tuple[Numbers, Flags, Numbers]:
        rows = rows.filter(pa.array(is_transcribed(rows)))
        drawn = draw_numbers(rows["id"])
        return drawn, is_candidate(rows, drawn, gates), to_floats(rows["duration"])

    drawn, mine, seconds = map(np.concatenate, zip(*map(part, shards), strict=True))
    return sample_share(drawn, mine, seconds, budget_share(settings) * float(seconds.sum()))


@dataclass(frozen=True)
class SmallModelRows:
    """What the small model has read, without the texts: its WER (nan without a reference) and its doubt, the seconds of
    each row, which of them the large model read as a sample, and which of those it rescued."""

    wer: Numbers
    doubt: Numbers
    seconds: Numbers
    sampled: Flags
    rescued: Flags

    def bands(self, mine: Flags, values: Numbers, settings: Curation, accept: float, believed: float) -> Bands:
        """The band of these rows that rescues most for their share of the budget."""
        rows = BudgetRows(values[mine], self.seconds[mine], self.sampled[mine], self.rescued[mine])
        found = best_band(rows, accept, budget_share(settings) * float(self.seconds[mine].sum()), believed)
        return found if found.accept != NO_DOUBT else Bands(None, found.reject)


def summarize_rows(rows: pa.Table, settings: Curation, share: float) -> SmallModelRows:
    rows = rows.filter(pa.array(is_transcribed(rows)))
    sample = sampled(rows, share, gates_for_small(settings))
    rescued = np.zeros(len(rows), bool)
    rescued[sample] = rescues(rows.filter(pa.array(sample)), settings)
    doubt = 1 - np.nan_to_num(to_floats(rows["small_confidence"]), nan=0.0)
    return SmallModelRows(to_floats(rows["small_wer"]), doubt, to_floats(rows["duration"]), sample, rescued)


def choose_bands(shards: Iterable[pa.Table], settings: Curation, share: float) -> Gates:
    """The gates that rescue most for the budget, as the rows show that the large model has read as a sample."""
    gates, limit = gates_for_small(settings), settings.filter.wer_limit
    parts = [summarize_rows(shard, settings, share) for shard in shards]
    rows = SmallModelRows(
        **{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(SmallModelRows)}
    )
    by_wer = np.isfinite(rows.wer) & (settings.gate.by != "confidence")
    kept = float(rows.wer[by_wer].max(initial=0.0)) if limit is None else limit
    wers = rows.bands(by_wer, rows.wer, settings, gates.wer.accept or 0.0, kept)
    doubts = rows.bands(~by_wer, rows.doubt, settings, NO_DOUBT, 1.0)  # whatever its confidence
    return gates.model_copy(update={"wer": wers, "doubt": doubts})


def rescues(sample: pa.Table, settings: Curation) -> list[bool]:
    """Which rows the large model rescues: good enough only as it reads them, or without a reference read otherwise."""
    limit = settings.filter.wer_limit
    found = []
    for row in sample.select(list(TEXTS)).to_pylist():
        text, small, large = (normalize(one or "", settings.normalizer) for one in row.values())
        errors = [compare_texts(text, one) for one in (small, large)]
        if row["large_pred_text"] is None:
            found.append(False)
        elif errors[0] is None or errors[1] is None:
            found.append(small != large)
        else:
            found.append(limit is not None and errors[1].wer <= limit < errors[0].wer)
    return found


def to_floats(column: pa.ChunkedArray) -> Numbers:
    return np.asarray(column.to_numpy(), np.float64)


def budget_share(settings: Curation) -> float:
    return BUDGET if settings.gate.budget is None else settings.gate.budget


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
    return run_stage_on_shard(shard, "sampled", sample, share=share, gates=gates)


@task(task_run_name="choose the band to escalate", cache_policy=NO_CACHE, **RETRY)
def choose_gates(shards: list[Path], settings: Curation, share: float) -> Gates:
    return choose_gates_once(shards, settings, share)

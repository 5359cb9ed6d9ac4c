"""A budget for the large model: it reads a sample of what the small one has read, and then what it rescues most of."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import Curation
from tasks.criteria import Bands
from tasks.draw import lots, sample_share
from tasks.gates import Gates, banded, first_gates
from tasks.ledger import advance, key_of, record, recorded, run_of
from tasks.metrics import differences
from tasks.retry import RETRY
from tasks.schema import append, marked
from tasks.spending import Flags, Numbers, Spending, affordable
from tasks.storage import read_table
from tasks.text import normalize

BUDGET = 0.4
NO_DOUBT = -1.0  # less than there is: nothing is believed unless it lies below the band
NEEDED = ("id", "reason", "duration", "small_wer", "small_confidence", "small_pred_text")
"""What is needed of every row to spend a budget."""

TEXTS = ("text", "small_pred_text", "large_pred_text")


def mark(scored: pa.Table, share: float, gates: Gates) -> pa.Table:
    """Add `audit`: which rows the large model reads before there are bands, to measure what it rescues.

    They are a share of what these gates do not accept, and of what they accept as much as is audited anyway.
    """
    return append(scored, marked(scored.schema), pa.array(sampled(scored, share, gates)))


def sampled(scored: pa.Table, share: float, gates: Gates) -> Flags:
    drawn = lots(scored["id"])
    return heard(scored) & wanted(scored, drawn, gates) & (drawn < share)


def wanted(scored: pa.Table, drawn: Numbers, gates: Gates) -> Flags:
    accepted = np.asarray(pc.equal(banded(scored, "small", gates), "accept"), bool)
    return np.asarray(~accepted | (drawn < gates.audit), bool)


def heard(rows: pa.Table) -> Flags:
    return np.asarray(pc.and_(pc.is_null(rows["reason"]), pc.is_valid(rows["small_pred_text"])), bool)


def share_to_sample(rows: pa.Table, settings: Curation) -> float:
    """How large a sample the budget allows."""
    rows = rows.filter(pa.array(heard(rows)))
    seconds, drawn = floats(rows["duration"]), lots(rows["id"])
    mine = wanted(rows, drawn, first_gates(settings))
    return sample_share(drawn, mine, seconds, budget(settings) * float(seconds.sum()))


def choose(rows: pa.Table, settings: Curation, share: float) -> Gates:
    """The gates that rescue most for the budget, as the rows show that the large model has read as a sample."""
    gates = first_gates(settings)
    rows = rows.filter(pa.array(heard(rows)))
    wer, seconds = floats(rows["small_wer"]), floats(rows["duration"])
    by_wer = np.isfinite(wer) & (settings.gate.by != "confidence")
    doubt = 1 - np.nan_to_num(floats(rows["small_confidence"]), nan=0.0)
    sample = sampled(rows, share, gates)
    rescued = np.zeros(len(rows), bool)
    rescued[sample] = rescues(rows.filter(pa.array(sample)), settings)

    def bands(mine: Flags, values: Numbers, accept: float, believed: float) -> Bands:
        rows = Spending(values[mine], seconds[mine], sample[mine], rescued[mine])
        found = affordable(rows, accept, budget(settings) * float(seconds[mine].sum()), believed)
        return found if found.accept != NO_DOUBT else Bands(None, found.reject)

    limit = settings.filter.wer_limit
    kept = float(wer[by_wer].max(initial=0.0)) if limit is None else limit
    wers = bands(by_wer, wer, gates.wer.accept or 0.0, kept)
    doubts = bands(~by_wer, doubt, NO_DOUBT, 1.0)  # whatever its confidence
    return gates.model_copy(update={"wer": wers, "doubt": doubts})


def rescues(sample: pa.Table, settings: Curation) -> list[bool]:
    """Which rows the large model rescues: good enough only as it reads them, or without a reference read otherwise."""
    limit = settings.filter.wer_limit
    found = []
    for row in sample.select(list(TEXTS)).to_pylist():
        text, small, large = (normalize(one or "", settings.normalizer) for one in row.values())
        errors = [differences(text, one) for one in (small, large)]
        if row["large_pred_text"] is None:
            found.append(False)
        elif errors[0] is None or errors[1] is None:
            found.append(small != large)
        else:
            found.append(limit is not None and errors[1].wer <= limit < errors[0].wer)
    return found


def floats(column: pa.ChunkedArray) -> Numbers:
    return np.asarray(column.to_numpy(), np.float64)


def budget(settings: Curation) -> float:
    return BUDGET if settings.gate.budget is None else settings.gate.budget


def drawn_share(shards: list[Path], settings: Curation) -> float:
    return share_to_sample(pa.concat_tables([read_table(shard, columns=list(NEEDED)) for shard in shards]), settings)


def chosen(shards: list[Path], settings: Curation, share: float) -> Gates:
    """The gates for shards of which a sample was read; once, so that a run that goes on has the same ones."""
    run = run_of(shards[0])
    key = key_of("gates", [shard.name for shard in shards], settings.gate, settings.filter, settings.normalizer, share)
    if (done := recorded(run, key)) is None:
        rows = pa.concat_tables([read_table(shard, columns=sorted({*NEEDED, *TEXTS})) for shard in shards])
        facts = choose(rows, settings, share).model_dump(mode="json")
        done = record(run, key, [], stage="gates", shard="all", rows=len(rows), facts=facts)
    return Gates(**done["facts"])


@task(task_run_name="draw a sample", cache_policy=NO_CACHE, **RETRY)
def draw_sample(shards: list[Path], settings: Curation) -> float:
    return drawn_share(shards, settings)


@task(task_run_name="sample {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def mark_shard(shard: Path, share: float, gates: Gates) -> Path:
    return advance(shard, "sampled", mark, share=share, gates=gates)


@task(task_run_name="choose the band to escalate", cache_policy=NO_CACHE, **RETRY)
def choose_gates(shards: list[Path], settings: Curation, share: float) -> Gates:
    return chosen(shards, settings, share)

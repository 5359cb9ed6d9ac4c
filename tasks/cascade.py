"""The gate between the two models: who is believed, who is read again, who is given up."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import Bands
from tasks.ledger import advance
from tasks.retry import RETRY
from tasks.schema import append, gated


def gate(scored: pa.Table, bands: Bands) -> pa.Table:
    """Add `band`: accept, escalate or reject by the small model's WER; null where there is none."""
    accept, reject = bands
    wer = scored["small_wer"]
    band = pc.if_else(pc.is_valid(wer), "escalate", None)
    if reject is not None:
        band = pc.if_else(pc.fill_null(pc.greater(wer, reject), False), "reject", band)
    if accept is not None:
        band = pc.if_else(pc.fill_null(pc.less_equal(wer, accept), False), "accept", band)
    return append(scored, gated(scored.schema), band)


@task(task_run_name="gate {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def gate_shard(shard: Path, bands: Bands) -> Path:
    return advance(shard, "gated", gate, bands=bands)

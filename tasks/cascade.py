"""The gate between the two models: who is believed, who is read again, who is given up."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import Bands
from tasks.ledger import advance
from tasks.retry import RETRY
from tasks.schema import append, gated
from tasks.spoken import languages_of, match
from tasks.storage import read_table

MOST_TOGETHER = 32  # shards; what is not committed before the last of them was read is lost in a crash


def gate(scored: pa.Table, bands: Bands, alone: Sequence[str] = ()) -> pa.Table:
    """Add `band`: accept, escalate or reject by the small model's WER; null where there is none.

    It is null too in languages that have no large model (`alone`): there the small one decides.
    """
    accept, reject = bands
    wer = scored["small_wer"]
    band = pc.if_else(pc.is_valid(wer), "escalate", None)
    if reject is not None:
        band = pc.if_else(pc.fill_null(pc.greater(wer, reject), False), "reject", band)
    if accept is not None:
        band = pc.if_else(pc.fill_null(pc.less_equal(wer, accept), False), "accept", band)
    if alone:
        spoken = languages_of(scored["fields"].to_pylist())
        band = pc.if_else(pa.array([match(language, alone) is not None for language in spoken]), None, band)
    return append(scored, gated(scored.schema), band)


def escalated_seconds(shard: Path) -> float:
    """How much audio of a gated shard is to be read again."""
    rows = read_table(shard, columns=["band", "reason", "duration"])
    mine = pc.and_(pc.is_null(rows["reason"]), pc.fill_null(pc.equal(rows["band"], "escalate"), False))
    return float(pc.sum(rows["duration"].filter(mine), min_count=0).as_py())


class Gathered:
    """Gated shards in groups with about so much to be read again, so that the large model's batches are full.

    In the order in which they come, so that another run makes the same groups.
    """

    def __init__(self, seconds: float) -> None:
        self.most = seconds
        self._waiting: list[Path] = []
        self._seconds = 0.0

    def add(self, shard: Path) -> list[list[Path]]:
        """The groups that are full with this shard."""
        self._waiting.append(shard)
        self._seconds += escalated_seconds(shard)
        return self.rest() if self._seconds >= self.most or len(self._waiting) == MOST_TOGETHER else []

    def rest(self) -> list[list[Path]]:
        group, self._waiting, self._seconds = self._waiting, [], 0.0
        return [group] if group else []


@task(task_run_name="gate {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def gate_shard(shard: Path, bands: Bands, alone: Sequence[str] = ()) -> Path:
    return advance(shard, "gated", gate, bands=bands, **({"alone": list(alone)} if alone else {}))

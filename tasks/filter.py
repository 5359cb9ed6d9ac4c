"""The rules: which utterances are kept, and for each other one the reason why not."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config import Filter
from tasks.ledger import advance
from tasks.retry import RETRY
from tasks.schema import BEFORE_RULES, JUDGED, append, replaced, with_columns


def judge(heard: pa.Table, rules: Filter) -> pa.Table:
    """Add the reading that counts (the large model's where it read) and the decision with its first reason."""
    heard = with_columns(heard, BEFORE_RULES)
    large = pc.is_valid(heard["large_pred_text"])
    text = pc.coalesce(heard["large_pred_text"], heard["small_pred_text"])
    wer = pc.if_else(large, heard["large_wer"], heard["small_wer"])
    model = pc.if_else(large, "large", pc.if_else(pc.is_valid(heard["small_pred_text"]), "small", None))
    unreadable = pc.is_valid(heard["reason"])
    reason = heard["reason"]
    for name, breaks in broken(heard, wer, rules):
        reason = pc.if_else(pc.and_(pc.is_null(reason), pc.fill_null(breaks, False)), name, reason)
    decision = pc.if_else(unreadable, "quarantine", pc.if_else(pc.is_valid(reason), "drop", "keep"))
    return append(replaced(heard, "reason", reason), JUDGED, text, wer, model, decision)


def broken(heard: pa.Table, wer: pa.ChunkedArray, rules: Filter) -> list[tuple[str, pa.ChunkedArray]]:
    """For each rule, in the order in which they count, its reason and the rows that break it."""
    chars = pc.utf8_length(pc.utf8_trim_whitespace(heard["text"]))
    rate = pc.divide(pc.cast(chars, pa.float64()), heard["duration"])
    limits = [
        ("DURATION_BELOW_MIN", pc.less, heard["duration"], rules.min_duration),
        ("DURATION_ABOVE_MAX", pc.greater, heard["duration"], rules.max_duration),
        ("CHAR_RATE_BELOW_MIN", pc.less, rate, rules.min_char_rate),
        ("CHAR_RATE_ABOVE_MAX", pc.greater, rate, rules.max_char_rate),
    ]
    found = [(name, compare(column, limit)) for name, compare, column, limit in limits if limit is not None]
    found.append(("WER_ABOVE_REJECT", pc.equal(heard["band"], "reject")))
    if rules.max_wer is not None:
        found.append(("WER_ABOVE_MAX", pc.greater(wer, rules.max_wer)))
    return found


@task(task_run_name="judge {shard.stem:.5}", cache_policy=NO_CACHE, **RETRY)
def judge_shard(shard: Path, rules: Filter) -> Path:
    return advance(shard, "judged", judge, rules=rules)

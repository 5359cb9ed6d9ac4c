"""The best of several texts for the same audio, chosen after every row of the run was judged."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnow.schema import replace_column, select_columns

COLUMNS = ["id", "same_audio", "decision", "wer", "review"]
"""What `choose_best` compares."""

COMPARED = pa.schema(
    [
        ("id", pa.int64()),
        ("same_audio", pa.int64()),
        ("decision", pa.string()),
        ("wer", pa.float64()),
        ("review", pa.string()),
    ]
)


def choose_best(shards: Iterable[pa.Table]) -> pa.Table:
    """Return the best line (`id`) of each audio (`same_audio`) with several texts, given all judged rows of a run.

    A kept row is better than a dropped one, then one that a person decided, then one with a reference than one
    without, then a lower WER, and then a later line, since corrections are appended. Quarantined rows were not judged.
    The rows need the columns COLUMNS, of which `review` may be missing.
    """
    rows = pa.concat_tables([select_columns(shard.filter(is_judged(shard)), COMPARED) for shard in shards])
    rows = rows.append_column("dropped", pc.equal(rows["decision"], "drop"))
    rows = rows.append_column("unreviewed", pc.is_null(rows["review"]))
    keys = [
        ("same_audio", "ascending"),
        ("dropped", "ascending"),
        ("unreviewed", "ascending"),
        ("wer", "ascending"),
        ("id", "descending"),
    ]
    rows = rows.sort_by(keys)  # without a reference the WER is null, which comes last
    audio = rows["same_audio"].to_numpy()
    return rows.filter(pa.array(np.diff(audio, prepend=-1) != 0)).select(["same_audio", "id"])


def quarantine_others(rows: pa.Table, best: pa.Table) -> pa.Table:
    """Quarantine the judged rows whose audio has a better text in another line, by the table of `choose_best`."""
    if not len(best):
        return rows
    at = np.searchsorted(best["same_audio"].to_numpy(), rows["same_audio"].fill_null(0).to_numpy())
    kept = best["id"].take(pa.array(np.minimum(at, len(best) - 1)))
    others = pc.and_(is_judged(rows), pc.not_equal(kept, rows["id"]))
    detail = pc.binary_join_element_wise("same audio as line ", pc.cast(kept, pa.string()), ", which fits better", "")
    changes = {"decision": "quarantine", "reason": "DUPLICATE_UTT", "reasons": None, "detail": detail}
    for name, value in changes.items():
        other = pa.scalar(value, rows.schema.field(name).type) if value is None or isinstance(value, str) else value
        rows = replace_column(rows, name, pc.if_else(others, other, rows[name]))
    return rows


def is_judged(rows: pa.Table) -> pa.ChunkedArray:
    """Return which rows have an audio with several texts and were judged."""
    return pc.and_(pc.is_valid(rows["same_audio"]), pc.not_equal(rows["decision"], "quarantine"))

"""What a pass has read before: rows of its earlier output that stand in for the same requests."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from winnow.engines.engine import Request
from winnow.schema import replace_column

RequestsOf = Callable[[pa.Table, list[int]], list[Request]]
"""Makes the requests of some rows of a table."""


def find_earlier(
    earlier: pa.Table, shard: pa.Table, indices: list[int], role: str, requests: RequestsOf
) -> dict[int, int]:
    """Map rows of the shard to rows of an earlier output of the same pass that answer the same request.

    A row answers it if it has a hypothesis, or a reason why it has none. What the pass itself finds out, the length
    and the identity of audio, may be new.
    """
    answered = pc.or_(pc.is_valid(earlier[f"{role}_pred_text"]), pc.is_valid(earlier["reason"]))
    rows = pc.indices_nonzero(answered).to_pylist()
    lines, ids = earlier["id"].to_pylist(), shard["id"].to_pylist()
    answers = {lines[row]: row for row in rows}
    pairs = [(i, answers[ids[i]]) for i in indices if ids[i] in answers]
    asked = requests(shard, [i for i, _ in pairs])
    before = requests(earlier, [j for _, j in pairs])
    return {i: j for (i, j), now, then in zip(pairs, asked, before, strict=True) if now == as_asked(then, now)}


def as_asked(then: Request, now: Request) -> Request:
    """Return an earlier request without what only its answer told."""
    return replace(
        then,
        identity=then.identity if now.identity else None,
        duration=then.duration if now.duration is not None else None,
    )


def take_over(shard: pa.Table, earlier: pa.Table, rows: dict[int, int], columns: Sequence[str]) -> pa.Table:
    """Return the shard with these columns of earlier rows in place of its own."""
    taken = pa.array([rows.get(i) for i in range(len(shard))], pa.int64())
    known = pc.is_valid(taken)
    for name in columns:
        before = earlier[name].combine_chunks().take(taken)
        own = shard[name].combine_chunks() if isinstance(shard[name], pa.ChunkedArray) else shard[name]
        shard = replace_column(shard, name, pc.if_else(known, before, own))
    return shard

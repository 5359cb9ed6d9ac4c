"""Some of the utterances: how many, and how much audio."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel


class UtteranceCount(BaseModel, frozen=True):
    """Some of the utterances; hours are null where nobody measured them."""

    utterances: int
    hours: float | None


NO_UTTERANCES = UtteranceCount(utterances=0, hours=0.0)


def count_utterances(rows: pa.Table) -> UtteranceCount:
    return UtteranceCount(utterances=len(rows), hours=hours_of(rows))


def hours_of(rows: pa.Table) -> float:
    return (pc.sum(rows["duration"]).as_py() or 0.0) / 3600


def rows_where(rows: pa.Table, column: str, value: str) -> pa.Table:
    return rows.filter(pc.equal(rows[column], value))

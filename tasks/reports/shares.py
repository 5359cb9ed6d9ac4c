"""Some of the utterances: how many, and how much audio."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel


class Share(BaseModel, frozen=True):
    """Some of the utterances; hours are null where nobody measured them."""

    utterances: int
    hours: float | None


NONE = Share(utterances=0, hours=0.0)


def share(rows: pa.Table) -> Share:
    return Share(utterances=len(rows), hours=hours(rows))


def hours(rows: pa.Table) -> float:
    return (pc.sum(rows["duration"]).as_py() or 0.0) / 3600


def only(rows: pa.Table, column: str, value: str) -> pa.Table:
    return rows.filter(pc.equal(rows[column], value))

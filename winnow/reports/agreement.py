"""How far the models of a run agree with the readings that count."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.counts import hours_of

LEVELS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


class Level(BaseModel, frozen=True):
    """The utterances with at least this agreement, and the mean WER of those with a reference."""

    at_least: float
    utterances: int
    hours: float
    wer: float | None


class Agreement(BaseModel, frozen=True):
    """How far models agree with the reading that counts (0 to 1), over utterances, each counted once."""

    mean: float | None
    median: float | None
    levels: list[Level]


def summarize_agreement(heard: pa.Table) -> Agreement:
    """Of the utterances that several models read."""
    found = heard["agreement"].drop_null()
    return Agreement(
        mean=pc.mean(found).as_py(),
        median=pc.quantile(found, 0.5)[0].as_py(),
        levels=[level(heard, at_least) for at_least in LEVELS],
    )


def level(heard: pa.Table, at_least: float) -> Level:
    rows = heard.filter(pc.fill_null(pc.greater_equal(heard["agreement"], at_least), False))
    return Level(at_least=at_least, utterances=len(rows), hours=hours_of(rows), wer=pc.mean(rows["wer"]).as_py())

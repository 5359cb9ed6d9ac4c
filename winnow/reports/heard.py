"""The distributions of what measures found in a run."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.listening.registry import MEASURES, columns_of
from winnow.reports.counts import rows_where, transcribed_rows

PREFIX = "heard_"
"""What columns of measures have before their names in the report's rows, which have columns of their own."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_VALUES = 8  # of a text that are counted one by one


class HeardDistribution(BaseModel, frozen=True):
    """What a column of a measure has in the utterances that are not quarantined.

    `utterances` have a value, `unknown` have none. `quantiles` are those of numbers at QUANTILES, `kept_median` is that
    of the kept utterances. `values` counts the most frequent texts.
    """

    utterances: int
    unknown: int
    quantiles: list[float] = []
    kept_median: float | None = None
    values: dict[str, int] = {}


def heard_columns(schema: pa.Schema) -> list[str]:
    """Return the columns of a filtered shard that measures added and that have a distribution."""
    measured = {column.name for column in columns_of(MEASURES) if column.kind != "line"}
    return [name for name in schema.names if name in measured]


def summarize_heard(rows: pa.Table) -> dict[str, HeardDistribution]:
    """Summarize each column of measures, given the report's rows."""
    names = [name for name in rows.schema.names if name.startswith(PREFIX)]
    measured = rows.select(["decision", *names])  # without texts, of which filtering would make copies
    transcribed, kept = transcribed_rows(measured), rows_where(measured, "decision", "keep")
    return {name.removeprefix(PREFIX): distribution(transcribed[name], kept[name]) for name in names}


def distribution(found: pa.ChunkedArray, kept: pa.ChunkedArray) -> HeardDistribution:
    """Summarize a column, given also what of it was kept."""
    known = found.drop_null()
    counts = {"utterances": len(known), "unknown": found.null_count}
    if pa.types.is_string(found.type) or pa.types.is_boolean(found.type):
        values = Counter(pc.cast(known, pa.string()).to_pylist()).most_common(MOST_VALUES)
        return HeardDistribution(**counts, values=dict(values))
    if not len(known):
        return HeardDistribution(**counts)
    quantiles = np.quantile(known.to_numpy(), QUANTILES).tolist()
    own = kept.drop_null().to_numpy()
    return HeardDistribution(**counts, quantiles=quantiles, kept_median=float(np.median(own)) if len(own) else None)

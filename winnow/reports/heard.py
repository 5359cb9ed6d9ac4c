"""The distributions of what measures found in a run."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.listening.registry import MEASURES, columns_of
from winnow.reports.counts import rows_where, transcribed_rows
from winnow.reports.quantiles import Quantiles

PREFIX = "heard_"
"""What columns of measures have before their names in the report's rows, which have columns of their own."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
EXACT = 100_000  # values of a column up to which its quantiles are exact
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


class HeardCounts:
    """What the columns of measures have in a run, added up."""

    def __init__(self) -> None:
        self._columns: dict[str, ColumnCounts] = {}

    def add(self, rows: pa.Table) -> None:
        """Take the rows of another shard."""
        names = [name for name in rows.schema.names if name.startswith(PREFIX)]
        measured = rows.select(["decision", *names])  # without texts, of which filtering would make copies
        transcribed, kept = transcribed_rows(measured), rows_where(measured, "decision", "keep")
        for name in names:
            self._columns.setdefault(name.removeprefix(PREFIX), ColumnCounts()).add(transcribed[name], kept[name])

    @property
    def distributions(self) -> dict[str, HeardDistribution]:
        return {name: counts.distribution for name, counts in self._columns.items()}


class ColumnCounts:
    """What a column has, added up; its quantiles are exact for up to EXACT values."""

    def __init__(self) -> None:
        self.known = self.unknown = 0
        self.texts = Counter[str]()
        self.numbers, self.kept_numbers = Quantiles(EXACT), Quantiles(EXACT)

    def add(self, found: pa.ChunkedArray, kept: pa.ChunkedArray) -> None:
        """Take the values of another shard, and what of them was kept."""
        known = found.drop_null()
        self.known += len(known)
        self.unknown += found.null_count
        if pa.types.is_string(found.type) or pa.types.is_boolean(found.type):
            self.texts.update(pc.cast(known, pa.string()).to_pylist())
        else:
            self.numbers.add(known.to_numpy())
            self.kept_numbers.add(kept.drop_null().to_numpy())

    @property
    def distribution(self) -> HeardDistribution:
        return HeardDistribution(
            utterances=self.known,
            unknown=self.unknown,
            quantiles=self.numbers.at(QUANTILES) if self.numbers.count else [],
            kept_median=self.kept_numbers.median,
            values=dict(self.texts.most_common(MOST_VALUES)),
        )

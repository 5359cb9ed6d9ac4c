"""The references of a shard: those of the manifest or, in a relabelled run, those that its rows have now."""

from pathlib import Path

import pyarrow as pa

from winnow.rules.duplicates import REFERENCE_COLUMNS
from winnow.runs.shard_files import read_columns
from winnow.schema import replace_column


def read_references(loaded: Path, relabelled: Path | None = None) -> pa.Table:
    """Read the columns REFERENCE_COLUMNS of a loaded shard, with the texts of the relabelled one if there is one."""
    rows = read_columns(loaded, REFERENCE_COLUMNS)
    return rows if relabelled is None else replace_column(rows, "text", read_columns(relabelled, ["text"])["text"])

"""The rows of a run with all their columns, one at a time, from the files that the rules wrote."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnow.runs import ledger
from winnow.runs.ledger import name_of
from winnow.runs.shard_files import read_columns, read_table
from winnow.verdicts.keys import KEY_COLUMNS, row_keys

MOST_SHARDS = 4  # in memory


class JudgedRows:
    """Reads judged rows by their line and their shard; the last few shards stay in memory."""

    def __init__(self, run: Path) -> None:
        stages = ledger.files_by_stage(run)
        self._files = {name_of(file): file for stage in ("filter", "deduplicate") for file in stages.get(stage, [])}
        self._tables: OrderedDict[str, pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def row(self, shard: str, line: int) -> dict[str, Any]:
        """Return a row with all its columns."""
        with self._lock:
            if shard not in self._tables:
                self._tables[shard] = read_table(self._files[shard])
            self._tables.move_to_end(shard)
            while len(self._tables) > MOST_SHARDS:
                self._tables.popitem(last=False)
            table = self._tables[shard]
        (row,) = table.filter(pc.equal(table["id"], line)).to_pylist()
        return dict(row)

    def some(self, shard: str, lines: Iterable[int], columns: Iterable[str]) -> pa.Table:
        """Read some rows of a shard, with `id` and those of the columns that there are."""
        rows = read_columns(self._files[shard], {"id", *columns})
        return rows.filter(pc.is_in(rows["id"], pa.array(sorted(lines), pa.int64())))

    def keys(self, shard: str, lines: Iterable[int]) -> dict[int, str]:
        """Return the keys of some rows of a shard, by their lines."""
        rows = self.some(shard, lines, KEY_COLUMNS)
        return dict(zip(rows["id"].to_pylist(), row_keys(rows), strict=True))

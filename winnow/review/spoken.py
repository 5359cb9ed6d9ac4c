"""What all reviewers of a run have said so far, in this process and in others."""

import threading
from pathlib import Path

from winnow.review.index import Index
from winnow.review.judged_rows import JudgedRows
from winnow.runs.contents import REVIEWS
from winnow.verdicts.carried import carried_verdicts
from winnow.verdicts.files import read_verdicts
from winnow.verdicts.verdict import Standing, standing


class SpokenVerdicts:
    """Reads the verdicts on a run again whenever a file of them has grown."""

    def __init__(self, run: Path, index: Index, rows: JudgedRows) -> None:
        self._run, self._index, self._rows = run, index, rows
        self._carried = carried_verdicts(run)
        self._keys: dict[int, str] = {}  # by line
        self._sizes: dict[str, int] | None = None
        self._by_index: dict[int, Standing] = {}
        self._ids: set[str] = set()
        self._lock = threading.Lock()
        self.warnings: list[str] = []

    def ids(self) -> set[str]:
        """Return the ids of all verdicts that were written."""
        self.by_index()
        return self._ids

    def by_index(self) -> dict[int, Standing]:
        """Return what stands of each row, by its index; verdicts on rows of other runs are left out."""
        with self._lock:
            sizes = {file.name: file.stat().st_size for file in (self._run / REVIEWS).glob("*.jsonl")}
            if sizes != self._sizes:
                written = read_verdicts(self._run)
                self.warnings = written.warnings
                self._ids = {verdict.id for verdict in written.verdicts}
                self._by_index = self._located(standing([*self._carried, *written.verdicts]))
                self._sizes = sizes
            return self._by_index

    def _located(self, stands: dict[str, Standing]) -> dict[int, Standing]:
        lines = {one.last.line: key for key, one in stands.items()}
        unknown: dict[str, list[int]] = {}
        for line in lines.keys() - self._keys.keys():
            if (index := self._index.at(line)) is not None:
                unknown.setdefault(self._index.shard_of(index), []).append(line)
        for shard, some in unknown.items():
            self._keys |= self._rows.keys(shard, some)
        located = {}
        for line, key in lines.items():
            index = self._index.at(line)
            if index is not None and self._keys.get(line) == key:
                located[index] = stands[key]
        return located

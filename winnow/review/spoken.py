"""What all reviewers of a run have said so far, in this process and in others."""

import threading
from collections.abc import Iterable
from pathlib import Path

from winnow.review.index import Index
from winnow.review.judged_rows import JudgedRows
from winnow.verdicts.carried import carried_verdicts
from winnow.verdicts.files import VerdictReader
from winnow.verdicts.verdict import Standing, Verdict, stand


class SpokenVerdicts:
    """Reads what was added to the verdicts on a run whenever it is asked for them."""

    def __init__(self, run: Path, index: Index, rows: JudgedRows) -> None:
        self._run, self._index, self._rows = run, index, rows
        self._keys: dict[int, str] = {}  # by line
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._reader = VerdictReader(self._run)
        self._ids: set[str] = set()
        self._by_key: dict[str, list[Verdict]] = {}
        self._by_index: dict[int, Standing] = {}
        self.warnings: list[str] = []
        self._add(carried_verdicts(self._run))

    def ids(self) -> set[str]:
        """Return the ids of all verdicts that were written, also on the run that this one was made from."""
        self.by_index()
        return self._ids

    def by_index(self) -> dict[int, Standing]:
        """Return what stands of each row, by its index; verdicts on rows of other runs are left out."""
        with self._lock:
            if self._reader.is_stale():
                self._begin()
            written = self._reader.new()
            self.warnings = written.warnings
            self._add(written.verdicts)
            return self._by_index

    def _add(self, verdicts: list[Verdict]) -> None:
        """Say again what stands of the rows of these verdicts; others keep reading what was returned before."""
        if not verdicts:
            return
        for verdict in verdicts:
            self._by_key.setdefault(verdict.row, []).append(verdict)
        self._ids |= {verdict.id for verdict in verdicts}
        self._by_index = dict(self._by_index)
        for index, key in self._located(verdicts).items():
            if stands := stand(self._by_key[key]):
                self._by_index[index] = stands
            else:
                self._by_index.pop(index, None)

    def _located(self, verdicts: Iterable[Verdict]) -> dict[int, str]:
        """Return the index and the key of each row of this run that is named by a verdict."""
        named = {(verdict.line, verdict.row) for verdict in verdicts}
        indexes = {line: self._index.at(line) for line, _ in named}
        unknown: dict[str, list[int]] = {}
        for line, index in indexes.items():
            if index is not None and line not in self._keys:
                unknown.setdefault(self._index.shard_of(index), []).append(line)
        for shard, some in unknown.items():
            self._keys |= self._rows.keys(shard, some)
        return {
            index: key for line, key in named if (index := indexes[line]) is not None and self._keys.get(line) == key
        }

"""One person's review of a run: its rows, what all reviewers have said so far, and what this one says now."""

import threading
import uuid
from collections.abc import Iterable
from typing import Any

import numpy as np

from winnow.api.run import open_run
from winnow.errors import InputError, OutputError
from winnow.review.clips import Clips
from winnow.review.details import describe
from winnow.review.estimates import Estimate, estimate
from winnow.review.index import Flags, Query, read_index
from winnow.review.judged_rows import JudgedRows
from winnow.review.spoken import SpokenVerdicts
from winnow.runs.completion import read_completion
from winnow.runs.storage import is_local
from winnow.text.normalize import normalize
from winnow.verdicts.clock import in_utc, now_after
from winnow.verdicts.files import VerdictFile
from winnow.verdicts.keys import row_key
from winnow.verdicts.verdict import DECIDING, Standing, Verdict

LISTED = (
    "id",
    "decision",
    "reason",
    "doubt",
    "wer",
    "duration",
    "speaker",
    "language",
    "text",
    "pred_text",
    "proposal",
)
LONGEST = 300  # characters of a text in a list


class Session:
    """A review of the complete run in a folder by one person. Methods may be called from several threads at once."""

    def __init__(self, output: str, reviewer: str) -> None:
        self.run, self.reviewer = open_run(output), reviewer
        if not is_local(self.run.path):
            raise OutputError(f"{output}: a run in an object store cannot be reviewed: copy it to a local disk")
        self.index = read_index(self.run, seed=int(read_completion(self.run.path).ledger[:8], 16))
        self.rows, self.clips = JudgedRows(self.run.path), Clips(self.run.settings)
        self._file, self._lock = VerdictFile(self.run.path, reviewer), threading.Lock()
        self._spoken = SpokenVerdicts(self.run.path, self.index, self.rows)

    @property
    def warnings(self) -> list[str]:
        """Sentences on verdicts that were being written when a process died."""
        return self._spoken.warnings

    def standing(self) -> dict[int, Standing]:
        """Return what stands of each row that someone said anything about, by its index."""
        return self._spoken.by_index()

    def list_rows(self, query: Query) -> dict[str, Any]:
        """Return some of the rows that fit a query, and how many there are."""
        said = self.standing()
        open_rows, flagged = self._flags(said)
        fitting = self.index.matching(query, open_rows, flagged)
        shown = fitting[query.start :][: query.size]
        rows = self.index.rows.select(LISTED).take(shown).to_pylist()
        return {
            "total": len(fitting),
            "rows": [shorten(row) | state_of(said.get(index)) for row, index in zip(rows, shown.tolist(), strict=True)],
        }

    def show(self, line: int) -> dict[str, Any]:
        """Return all that is known of a row, by its line in the manifest."""
        index, row = self.row(line)
        return describe(row, self.run.roles, self.run.settings.comparison) | state_of(self.standing().get(index))

    def row(self, line: int) -> tuple[int, dict[str, Any]]:
        """Return the index of a row and all its columns; raises InputError if there is no such row."""
        if (index := self.index.at(line)) is None:
            raise InputError(f"{self.run.path}: no row {line}")
        return index, self.rows.row(self.index.shard_of(index), line)

    def decide(self, line: int, kind: str, text: str | None = None) -> dict[str, Any]:
        """Say something about a row, and return what stands now.

        `kind` is that of a verdict, or `proposal` for an edit to the row's proposal; an undo takes back what was said
        last. Raises InputError for what cannot be said about this row.
        """
        index, row = self.row(line)
        with self._lock:
            before = self.standing().get(index)
            undoes = before.last.id if kind == "undo" and before else None
            if kind == "undo" and undoes is None:
                raise InputError(f"row {line}: nothing to undo")
            kind, text = ("edit", row["proposal"]) if kind == "proposal" else (kind, text)
            self._check(row, kind, text)
            self._file.append(
                Verdict.model_validate(
                    {
                        "id": uuid.uuid4().hex,
                        "row": row_key(row),
                        "line": line,
                        "kind": kind,
                        "text": text,
                        "undoes": undoes,
                        "reviewer": self.reviewer,
                        "at": now_after(before.last.at if before else None),
                    }
                )
            )
        return state_of(self.standing().get(index))

    def record(self, verdicts: Iterable[Verdict]) -> int:
        """Write verdicts that were made elsewhere, if they can be said about their rows; return how many are new."""
        with self._lock:
            known = self._spoken.ids()
            new = {verdict.id: verdict for verdict in verdicts if verdict.id not in known}
            for verdict in new.values():
                self._check(self.row(verdict.line)[1], verdict.kind, verdict.text)
            for verdict in new.values():
                self._file.append(verdict)
        return len(new)

    def _check(self, row: dict[str, Any], kind: str, text: str | None) -> None:
        if kind in DECIDING and row["decision"] == "quarantine":
            raise InputError(f"row {row['id']}: quarantined ({row['reason']}): such a row is not judged")
        if kind == "edit" and not (text and normalize(text, self.run.settings.normalizer)):
            raise InputError(f"row {row['id']}: a text needs at least one word")

    def estimates(self) -> dict[str, Estimate]:
        """Return what share of kept and of dropped rows was decided rightly, by the random samples among them."""
        kinds = {index: self._said_of_text(index, one.decided) for index, one in self.standing().items() if one.decided}
        return {name: estimate(name, sample, kinds) for name, sample in self.index.queue.controls.items()}

    def _said_of_text(self, index: int, verdict: Verdict) -> str:
        """Return what a verdict says of the text that the row has now, which may be that of an edit before this run."""
        own = verdict.kind == "edit" and verdict.text == self.index.rows["text"][index].as_py()
        return "keep" if own else verdict.kind

    def progress(self) -> dict[str, Any]:
        """Return how many rows were decided, each way and by each person, and the estimates."""
        stands = list(self.standing().values())
        decided = [one.decided for one in stands if one.decided]
        return {
            "decided": len(decided),
            "flagged": sum(one.flagged for one in stands),
            "kinds": {kind: sum(verdict.kind == kind for verdict in decided) for kind in DECIDING},
            "reviewers": {
                name: sum(one.reviewer == name for one in decided) for name in {one.reviewer for one in decided}
            },
            "estimates": {name: value.model_dump() for name, value in self.estimates().items()},
        }

    def _flags(self, said: dict[int, Standing]) -> tuple[Flags, Flags]:
        """Return which rows no one has decided yet, and which are flagged."""
        open_rows, flagged = np.ones(len(self.index), bool), np.zeros(len(self.index), bool)
        for index, stands in said.items():
            open_rows[index], flagged[index] = stands.decided is None, stands.flagged
        return open_rows, flagged

    def close(self) -> None:
        self._file.close()
        self.clips.close()


def state_of(stands: Standing | None) -> dict[str, Any]:
    """Return what stands of a row as a page shows it."""
    decided = stands.decided if stands else None
    return {
        "verdict": decided and decided.kind,
        "edited": decided and decided.text,
        "reviewer": decided and decided.reviewer,
        "at": decided and in_utc(decided.at),
        "flagged": bool(stands and stands.flagged),
        "can_undo": stands is not None,
    }


def shorten(row: dict[str, Any]) -> dict[str, Any]:
    """Cut the texts of a row for a list."""
    return {name: value[:LONGEST] if isinstance(value, str) else value for name, value in row.items()}

"""What differs between two runs: the figures that the terminal, the page, the artifact and the JSON show."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel

from winnow.api.run import Run, open_run
from winnow.diff.changes import Change, find_changes
from winnow.diff.matching import match_rows
from winnow.diff.rows import DECISIONS, KEEP, Indexes, RunRows, read_rows
from winnow.diff.settings_changes import SettingChange, find_setting_changes
from winnow.diff.shifts import Shift, find_shifts


class Totals(BaseModel, frozen=True):
    """A run's figures, as its report has them. Hours are those of transcribed utterances, WER that of kept ones."""

    run: str
    utterances: int
    kept: int
    dropped: int
    quarantined: int
    hours: float
    kept_hours: float
    dropped_hours: float
    wer: float | None


class Part(BaseModel, frozen=True):
    """Rows of one run: how many, how many of them it keeps, and the hours of both."""

    rows: int
    hours: float
    kept: int
    kept_hours: float


class Difference(BaseModel, frozen=True):
    """What differs between two runs.

    `matched` rows are in both, `only_before` and `only_after` in one. `paired` tells whether `shifts` compare matched
    rows, row by row, or all rows of each run, because fewer than half of the rows of the smaller run are in the other.
    """

    before: Totals
    after: Totals
    matched: int
    only_before: Part
    only_after: Part
    changes: list[Change]
    paired: bool
    shifts: list[Shift]
    settings: list[SettingChange]


def compare_runs(before: str | Path, after: str | Path) -> Difference:
    """Compare two finished runs; raises OutputError if one is none.

    Rows are the same if their audio has the same path, offset and channel. If no path is in both runs, paths are
    compared as the manifests have them, since a corpus may have moved.
    """
    first, second = open_run(before), open_run(after)
    rows = read_rows(first), read_rows(second)
    matches = match_rows(*rows)
    if not len(matches.before):
        rows = read_rows(first, absolute=False), read_rows(second, absolute=False)
        matches = match_rows(*rows)
    paired = 2 * len(matches.before) >= max(1, min(map(len, rows)))
    return Difference(
        before=totals(first),
        after=totals(second),
        matched=len(matches.before),
        only_before=part_of(rows[0], matches.only_before),
        only_after=part_of(rows[1], matches.only_after),
        changes=find_changes(first, second, *rows, matches),
        paired=paired,
        shifts=find_shifts(*rows, (matches.before, matches.after) if paired else None),
        settings=find_setting_changes(first, second),
    )


def totals(run: Run) -> Totals:
    report = run.report
    return Totals(
        run=str(run.path),
        wer=report.wer["kept"].corpus if "kept" in report.wer else None,
        **{name: getattr(report, name) for name in Totals.model_fields if name not in ("run", "wer")},
    )


def part_of(rows: RunRows, indexes: Indexes) -> Part:
    kept = indexes[rows.decisions[indexes] == DECISIONS.index(KEEP)]
    hours, kept_hours = (float(np.sum(rows.seconds[part])) / 3600 for part in (indexes, kept))
    return Part(rows=len(indexes), hours=hours, kept=len(kept), kept_hours=kept_hours)

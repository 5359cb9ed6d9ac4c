"""The figures of each language of a run, by the `lang` of its rows."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.counts import Amount, count_values, rows_where, transcribed_rows
from winnow.reports.wer_distribution import WerCounts, WerDistribution
from winnow.roles import Role

UNDETERMINED = "und"
"""ISO 639's code for an unknown language: rows without `lang`."""

MULTIPLE = "mul"
"""ISO 639's code for several languages: all beyond the most frequent ones."""

MOST_LANGUAGES = 100


class LanguageFigures(BaseModel, frozen=True):
    """The utterances of one language; hours without those of quarantined utterances.

    `wer` is that of the selected hypotheses (`all`, `kept`) and of each model over what it transcribed.
    """

    utterances: int
    hours: float
    kept: int
    kept_hours: float
    dropped: int
    quarantined: int
    wer: dict[str, WerDistribution]


class LanguageCounts:
    """The figures of one language, added up."""

    def __init__(self, roles: Iterable[Role]) -> None:
        self.all, self.transcribed, self.kept = Amount(), Amount(), Amount()
        self.wer = {"all": WerCounts(), "kept": WerCounts()} | {role: WerCounts(role) for role in roles}

    def add(self, rows: pa.Table) -> None:
        """Count these rows as well."""
        transcribed, kept = transcribed_rows(rows), rows_where(rows, "decision", "keep")
        for amount, part in ((self.all, rows), (self.transcribed, transcribed), (self.kept, kept)):
            amount.add(part)
        for name, wer in self.wer.items():
            wer.add(kept if name == "kept" else transcribed)

    def merge(self, other: "LanguageCounts") -> None:
        self.all.merge(other.all)
        self.transcribed.merge(other.transcribed)
        self.kept.merge(other.kept)
        for name, wer in self.wer.items():
            wer.merge(other.wer[name])

    @property
    def figures(self) -> LanguageFigures:
        return LanguageFigures(
            utterances=self.all.utterances,
            hours=self.transcribed.hours,
            kept=self.kept.utterances,
            kept_hours=self.kept.hours,
            dropped=self.transcribed.utterances - self.kept.utterances,
            quarantined=self.all.utterances - self.transcribed.utterances,
            wer={name: wer.distribution for name, wer in self.wer.items()},
        )


class Languages:
    """The figures of each language of a run, added up."""

    def __init__(self, roles: Iterable[Role]) -> None:
        self.roles = tuple(roles)
        self._counts: dict[str, LanguageCounts] = {}

    def add(self, rows: pa.Table) -> None:
        """Count the rows of another shard."""
        languages = pc.fill_null(rows["language"], UNDETERMINED)
        for name in count_values(languages):
            counts = self._counts.setdefault(name, LanguageCounts(self.roles))
            counts.add(rows.filter(pc.equal(languages, name)))

    @property
    def only(self) -> str | None:
        """The language that all rows with a language have; None if there is none, or several."""
        named = [name for name in self._counts if name != UNDETERMINED]
        return named[0] if len(named) == 1 else None

    @property
    def figures(self) -> dict[str, LanguageFigures]:
        """The figures by language, the most frequent first; nothing if there is only one."""
        counts = sorted(self._counts.items(), key=lambda item: (-item[1].all.utterances, item[0]))
        if len(counts) < 2:
            return {}
        shown = dict(counts[:MOST_LANGUAGES])
        if counts[MOST_LANGUAGES:]:
            shown[MULTIPLE] = LanguageCounts(self.roles)
            for _, other in counts[MOST_LANGUAGES:]:
                shown[MULTIPLE].merge(other)
        return {name: language.figures for name, language in shown.items()}

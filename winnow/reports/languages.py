"""The figures of each language of a run, by the `lang` of its rows."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.counts import count_values, hours_of, rows_where, transcribed_rows
from winnow.reports.wer_distribution import WerDistribution, wer_distribution
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


def summarize_languages(rows: pa.Table, roles: Iterable[Role]) -> dict[str, LanguageFigures]:
    """Summarize all rows by language, the most frequent first; nothing if there is only one."""
    parts = dict(split_by_language(rows))
    return {name: language_figures(part, roles) for name, part in parts.items()} if len(parts) > 1 else {}


def split_by_language(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of each language; together they are all rows."""
    languages = pc.fill_null(rows["language"], UNDETERMINED)
    names = [name for name, _ in sorted(count_values(languages).items(), key=lambda item: (-item[1], item[0]))]
    for name in names[:MOST_LANGUAGES]:
        yield name, rows.filter(pc.equal(languages, name))
    if names[MOST_LANGUAGES:]:
        yield MULTIPLE, rows.filter(pc.is_in(languages, pa.array(names[MOST_LANGUAGES:])))


def language_figures(rows: pa.Table, roles: Iterable[Role]) -> LanguageFigures:
    transcribed = transcribed_rows(rows)
    kept = rows_where(rows, "decision", "keep")
    return LanguageFigures(
        utterances=len(rows),
        hours=hours_of(transcribed),
        kept=len(kept),
        kept_hours=hours_of(kept),
        dropped=len(transcribed) - len(kept),
        quarantined=len(rows) - len(transcribed),
        wer={"all": wer_distribution(transcribed), "kept": wer_distribution(kept)}
        | {role: wer_distribution(transcribed, role) for role in roles},
    )

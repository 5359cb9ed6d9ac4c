"""Proposals: what was said instead of a wrong reference, where all models that read the utterance prefer it by far.

A model prefers a text if the text lies fewer nats behind the model's own reading than the reference does. Models that
err alike also prefer their error, so a proposal must be read by all of them, with little uncertainty, and the reference
must be doubtful to each.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from winnow.roles import Role
from winnow.schema import roles_of
from winnow.text.comparison import Comparison, comparison_by
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer, normalize
from winnow.text.respell import equal_texts
from winnow.text.spelled_like import differences, join_parts
from winnow.text.words import split_words

Row = Mapping[str, Any]


class Limits(NamedTuple):
    """When a text is proposed; `benchmarks.proposals` chose the defaults on speech other than what it measures.

    `min_doubt` is the least doubt that each model has about the reference, `max_uncertainty` the most nats per word by
    which the likelihood of the reading falls short of certainty under each model.
    """

    min_doubt: float = 2.0
    max_uncertainty: float = 0.2


DEFAULT = Limits()


class Reading(NamedTuple):
    """A model's hypothesis that all models that read the utterance prefer to the reference.

    `behind` are the nats that it lies behind each model's own hypothesis, and `margin` the nats by which the model that
    prefers it least does so.
    """

    text: str
    behind: dict[Role, float]
    margin: float


class Proposal(NamedTuple):
    """What was probably said, written like the reference, and the margin of its reading in nats."""

    text: str
    margin: float


def propose(
    rows: pa.Table,
    read: Mapping[Role, NDArray[np.bool_]],
    comparison: Comparison | Normalizer,
    limits: Limits = DEFAULT,
) -> list[Proposal | None]:
    """Return the proposal for each row; None where the reference stands or fewer than two models read the row.

    `read` tells for each role which rows its model read.
    """
    proposals: list[Proposal | None] = [None] * len(rows)
    candidates = np.flatnonzero(may_be_wrong(rows, read, limits.min_doubt))
    if not len(candidates):
        return proposals
    languages = row_languages(rows["fields"].to_pylist())
    some = rows.select(columns_for_readings(rows.schema.names, list(read))).take(pa.array(candidates))
    for i, row in zip(candidates.tolist(), some.to_pylist(), strict=True):
        roles = [role for role in read if read[role][i]]
        reading = preferred_reading(row, roles, comparison, languages[i])
        if reading and is_reliable(row, reading, limits.max_uncertainty):
            parts = differences(row["text"], reading.text, comparison, languages[i])
            proposals[i] = Proposal(join_parts(parts), reading.margin)
    return proposals


def scoring_roles(schema: pa.Schema) -> list[Role]:
    """Return the roles whose models may have scored the references."""
    return [role for role in roles_of(schema) if f"{role}_gap" in schema.names]


def columns_for_readings(names: Sequence[str], roles: Sequence[Role]) -> list[str]:
    """Return the columns, of these names, from which readings of these roles are judged."""
    wanted = {
        f"{role}_{name}" for role in roles for name in ("pred_text", "gap", "doubt", *(f"{r}_gap" for r in roles))
    }
    return [name for name in names if name == "text" or name in wanted]


def may_be_wrong(rows: pa.Table, read: Mapping[Role, NDArray[np.bool_]], min_doubt: float) -> NDArray[np.bool_]:
    """Return the rows that at least two models read, all of which doubt the reference enough for a proposal."""
    count, doubted = np.zeros(len(rows), int), np.ones(len(rows), bool)
    for role, own in read.items():
        doubt = pc.greater_equal(rows[f"{role}_doubt"], min_doubt)
        doubted &= ~own | np.asarray(pc.fill_null(doubt, False), bool)
        count += own
    return doubted & (count > 1)


def preferred_reading(
    row: Row, roles: Sequence[Role], comparison: Comparison | Normalizer, language: str | None = None
) -> Reading | None:
    """Return the hypothesis that all these models prefer to the reference, with the widest margin; None without one."""
    if len(roles) < 2 or any(row[f"{role}_gap"] is None for role in roles):
        return None
    readings = list(scored_readings(row, roles, comparison, language))
    best = max(readings, key=lambda reading: reading.margin, default=None)
    return best if best and best.margin > 0 else None


def scored_readings(
    row: Row, roles: Sequence[Role], comparison: Comparison | Normalizer, language: str | None
) -> Iterator[Reading]:
    """Yield the hypotheses that have a likelihood under every model: larger models score those of the earlier ones."""
    texts = {role: row[f"{role}_pred_text"] for role in roles}
    for reader, text in texts.items():
        if not normalize(text, comparison_by(comparison).normalizer, language):
            continue
        behind = {
            role: 0.0 if equal_texts(own, text, comparison, language) else row.get(f"{role}_{reader}_gap")
            for role, own in texts.items()
        }
        known = {role: nats for role, nats in behind.items() if nats is not None}
        if len(known) == len(roles):
            yield Reading(text, known, min(row[f"{role}_gap"] - nats for role, nats in known.items()))


def is_reliable(row: Row, reading: Reading, max_uncertainty: float) -> bool:
    """Tell whether a preferred reading may replace the reference: all models read it, and none is uncertain."""
    most = max_uncertainty * len(split_words(reading.text))
    return all(
        nats == 0.0 and uncertainty(row[f"{role}_gap"], row[f"{role}_doubt"]) <= most
        for role, nats in reading.behind.items()
    )


def uncertainty(gap: float, doubt: float) -> float:
    """Return how many nats a model's reading falls short of certainty: its doubt is the gap over 1 + these nats."""
    return gap / doubt - 1

"""What of a row depends on its text, computed again for another one, without the models."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from winnow.evidence.proposals import scoring_roles
from winnow.schema import EVIDENCE, SCORES, roles_of
from winnow.text.comparison import Comparison
from winnow.text.metrics import all_scores
from winnow.text.normalize import Normalizer
from winnow.text.respell import equal_texts

Values = dict[str, list[Any]]


def new_scores(
    rows: pa.Table, texts: Sequence[str], comparison: Comparison | Normalizer, languages: Sequence[str | None]
) -> Values:
    """Return the columns of scores of all models, with these texts as the references."""
    values: Values = {}
    for role in roles_of(rows.schema):
        hypotheses = rows[f"{role}_pred_text"].to_pylist()
        scores = [
            None if hypothesis is None else all_scores(text, hypothesis, comparison, language)
            for text, hypothesis, language in zip(texts, hypotheses, languages, strict=True)
        ]
        values |= {f"{role}_{name}": [row and row[name] for row in scores] for name in SCORES}
    return values


def evidence_without_models(
    rows: pa.Table, texts: Sequence[str], comparison: Comparison | Normalizer, languages: Sequence[str | None]
) -> Values:
    """Return the columns of evidence of all models, with these texts as the references.

    A model that read the text has no doubt about it. What others make of it is not known: TEXT_EDITED.
    """
    values: Values = {}
    for role in scoring_roles(rows.schema):
        pairs = zip(texts, rows[f"{role}_pred_text"].to_pylist(), languages, strict=True)
        said = [None if read is None else equal_texts(read, text, comparison, tag) for text, read, tag in pairs]
        for name, kind in EVIDENCE.items():
            no_doubt = 0.0 if pa.types.is_floating(kind) else None
            values[f"{role}_{name}"] = [no_doubt if same else None for same in said]
        values[f"{role}_no_evidence"] = ["TEXT_EDITED" if same is False else None for same in said]
        listed = rows[f"{role}_doubtful_words"].is_valid().to_pylist()
        values[f"{role}_doubtful_words"] = [
            [] if same and is_listed else None for same, is_listed in zip(said, listed, strict=True)
        ]
    return values

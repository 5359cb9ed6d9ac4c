"""How far models agree: with the selected hypothesis, and with each other where the reference is contradicted."""

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from winnow.reports.counts import hours_of
from winnow.text.comparison import Comparison
from winnow.text.normalize import normalize
from winnow.text.respell import equal_texts

AGREEMENT_LEVELS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


class AgreementLevel(BaseModel, frozen=True):
    """The utterances with at least this agreement, and the mean WER of those with a reference."""

    at_least: float
    utterances: int
    hours: float
    wer: float | None


class Agreement(BaseModel, frozen=True):
    """Agreement of the models with the selected hypothesis (0 to 1), over utterances that several models transcribed.

    `mean` and `median` are None if there is no such utterance.
    """

    mean: float | None
    median: float | None
    levels: list[AgreementLevel]


def summarize_agreement(rows: pa.Table) -> Agreement:
    """Summarize the agreement of all utterances that several models transcribed."""
    values = rows["agreement"].drop_null()
    return Agreement(
        mean=pc.mean(values).as_py(),
        median=pc.quantile(values, 0.5)[0].as_py(),
        levels=[agreement_level(rows, at_least) for at_least in AGREEMENT_LEVELS],
    )


def agreement_level(rows: pa.Table, at_least: float) -> AgreementLevel:
    """Summarize the utterances with at least this agreement."""
    rows = rows.filter(pc.fill_null(pc.greater_equal(rows["agreement"], at_least), False))
    wer = pc.mean(rows["wer"]).as_py()
    return AgreementLevel(at_least=at_least, utterances=len(rows), hours=hours_of(rows), wer=wer)


def count_both_models_agree(dropped: pa.Table, comparison: Comparison) -> int:
    """Count dropped rows in which the small and the large model have the same words: the reference is likely wrong."""
    both = dropped.filter(pc.is_valid(dropped["large_pred_text"]))
    columns = (both[name].to_pylist() for name in ("small_pred_text", "large_pred_text", "language"))
    return sum(
        normalize(small, comparison.normalizer, language) != "" and equal_texts(small, large, comparison, language)
        for small, large, language in zip(*columns, strict=True)
    )

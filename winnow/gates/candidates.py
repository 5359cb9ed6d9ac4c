"""The candidates for a budget: utterances that the large model may transcribe, and what it rescues of a sample."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnow.gates.bands import assign_bands
from winnow.gates.criteria import Gates
from winnow.gates.sampling import Flags, Numbers, draw_numbers, sample_share
from winnow.text.comparison import Comparison
from winnow.text.languages import row_languages
from winnow.text.metrics import compare_texts
from winnow.text.respell import equal_texts, normalize_pair

CANDIDATE_COLUMNS = ("id", "reason", "duration", "small_wer", "small_confidence", "small_pred_text")
"""The columns that show which rows are candidates."""

TEXT_COLUMNS = ("text", "small_pred_text", "large_pred_text")
RESCUE_COLUMNS = (*TEXT_COLUMNS, "fields")
"""The columns that show what was rescued."""


def is_transcribed(rows: pa.Table) -> Flags:
    """Return which rows have a hypothesis of the small model."""
    return np.asarray(pc.and_(pc.is_null(rows["reason"]), pc.is_valid(rows["small_pred_text"])), bool)


def is_candidate(scored: pa.Table, drawn: Numbers, gates: Gates) -> Flags:
    """Return which rows these gates do not accept, and of those that they accept the audited ones."""
    accepted = np.asarray(pc.equal(assign_bands(scored, "small", gates), "accept"), bool)
    return np.asarray(~accepted | (drawn < gates.audit), bool)


def is_sampled(scored: pa.Table, share: float, gates: Gates) -> Flags:
    """Return which rows belong to a sample of this share (0 to 1) of the candidates."""
    drawn = draw_numbers(scored["id"])
    return is_transcribed(scored) & is_candidate(scored, drawn, gates) & (drawn < share)


def share_to_sample(shards: Iterable[pa.Table], gates: Gates, budget: float) -> float:
    """Return the share of the candidates that a budget, itself a share of all audio, allows to sample."""

    def columns(rows: pa.Table) -> tuple[Numbers, Flags, Numbers]:
        rows = rows.filter(pa.array(is_transcribed(rows)))
        drawn = draw_numbers(rows["id"])
        return drawn, is_candidate(rows, drawn, gates), to_floats(rows["duration"])

    drawn, candidates, seconds = map(np.concatenate, zip(*map(columns, shards), strict=True))
    return sample_share(drawn, candidates, seconds, budget * float(seconds.sum()))


def is_rescued(sample: pa.Table, wer_limit: float | None, comparison: Comparison) -> list[bool]:
    """Return which rows the large model rescues.

    With a reference: only its WER is within the limit. Without one: its text differs from the small model's.
    """
    rescued = []
    languages = row_languages(sample["fields"].to_pylist())
    for row, language in zip(sample.select(list(TEXT_COLUMNS)).to_pylist(), languages, strict=True):
        reference, small, large = (text or "" for text in row.values())
        before, after = (
            compare_texts(*normalize_pair(reference, hypothesis, comparison, language)) for hypothesis in (small, large)
        )
        if row["large_pred_text"] is None:
            rescued.append(False)
        elif before is None or after is None:
            rescued.append(not equal_texts(small, large, comparison, language))
        else:
            rescued.append(wer_limit is not None and after.wer <= wer_limit < before.wer)
    return rescued


def to_floats(column: pa.ChunkedArray) -> Numbers:
    """Return a column as 64-bit floats, nan where it is null."""
    return np.asarray(column.to_numpy(), np.float64)

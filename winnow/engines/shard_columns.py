"""Rows of a shard as requests to a model, and its results as columns of the shard."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnow.audio.measurements import AudioStats
from winnow.engines.engine import Request
from winnow.engines.inference import Result
from winnow.roles import Role
from winnow.schema import AUDIO_IDENTITY, AUDIO_STATS, HYPOTHESIS, replace_column
from winnow.text.hypothesis import Hypothesis
from winnow.text.languages import row_languages
from winnow.text.normalize import Normalizer

REQUESTED = ["path", "offset", "duration", "duration_rounding", "audio_channel"]
FILLED_IN = ["duration", "reason", "detail", "mended", "found_path"]


def requests_for(
    shard: pa.Table,
    indices: list[int],
    languages: Sequence[str | None],
    root: Path | None,
    normalizer: Normalizer | None = None,
) -> list[Request]:
    """Return the requests of some rows; those of a later pass state the identity of the audio.

    With a normalizer, they ask for the evidence for the reference as well.
    """
    rows = shard.select(REQUESTED).to_pydict()
    compared: list[dict[str, Any]] = [{}] * len(shard)
    if normalizer:
        compared = [
            {"texts": (text,), "normalizer": normalizer, "text_language": language} if text else {}
            for text, language in zip(
                shard["text"].to_pylist(), row_languages(shard["fields"].to_pylist()), strict=True
            )
        ]
    later = AUDIO_IDENTITY in shard.schema.names
    identities = shard[AUDIO_IDENTITY].to_pylist() if later else [None] * len(shard)
    return [
        Request(
            rows["path"][i],
            rows["offset"][i],
            rows["duration"][i],
            root=str(root) if root else None,
            language=languages[i],
            identity=identities[i],
            channel=rows["audio_channel"][i],
            rounding=rows["duration_rounding"][i] or 0.0,
            **compared[i],
        )
        for i in indices
    ]


def fill_in(shard: pa.Table, results: list[Result | None], audited: set[int]) -> pa.Table:
    """Fill in what was found out about rows; of audited ones not why they have no hypothesis."""
    rows = shard.select(FILLED_IN).to_pydict()
    for i, result in enumerate(results):
        if result is None:
            continue
        if i not in audited or result.reason == "AUDIO_CHANGED":  # then what was accepted is another audio's
            rows["reason"][i], rows["detail"][i] = result.reason, result.detail
        if rows["duration"][i] is None and result.stats:
            rows["duration"][i] = result.stats.seconds
        if result.mended:
            rows["mended"][i] = list(dict.fromkeys([*(rows["mended"][i] or ()), *result.mended]))
            rows["found_path"][i] = result.found
    for name in FILLED_IN:
        shard = replace_column(shard, name, rows[name])
    return shard


def merge_sample(shard: pa.Table, role: Role, hypotheses: dict[str, pa.Array]) -> pa.Table:
    """Add hypotheses to the columns that hold those of a sample already."""
    is_new = pc.is_valid(hypotheses["model"])
    for name, column in hypotheses.items():
        shard = replace_column(shard, f"{role}_{name}", pc.if_else(is_new, column, shard[f"{role}_{name}"]))
    return shard


def audio_columns(results: list[Result | None]) -> dict[str, pa.Array]:
    """Return the columns of AUDIO_STATS, and the identity of the audio."""
    stats = [(result and result.stats) or AudioStats() for result in results]
    columns = {
        field.name: pa.array([values.get(field.name) for values in stats], field.type, from_pandas=True)
        for field in AUDIO_STATS
    }
    return columns | {AUDIO_IDENTITY: pa.array([result and result.identity for result in results], pa.string())}


def hypothesis_columns(results: list[Result | None], models: list[str | None]) -> dict[str, pa.Array]:
    """Return the columns of HYPOTHESIS."""
    rows = [
        (hypothesis_row(result.hypothesis) if result and result.hypothesis else {}) | {"model": model}
        for result, model in zip(results, models, strict=True)
    ]
    return {name: pa.array([row.get(name) for row in rows], kind) for name, kind in HYPOTHESIS.items()}


def hypothesis_row(hypothesis: Hypothesis) -> dict[str, Any]:
    """Return the values of a hypothesis by their columns; those of evidence are about the first text of the request."""
    row = {
        "pred_text": hypothesis.text,
        "tokens": hypothesis.tokens,
        "confidence": hypothesis.confidence,
        "word_confidence": hypothesis.word_confidence,
        "words": None if hypothesis.words is None else [asdict(word) for word in hypothesis.words],
    }
    if not hypothesis.evidence:
        return row
    reference = hypothesis.evidence[0]
    measured = {"evidence": reference.evidence, "gap": reference.gap, "doubt": reference.doubt}
    return row | measured | {"doubtful": reference.doubtful, "no_evidence": reference.reason}

"""Rows of a shard as requests to a model, and its results as columns of the shard."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from winnow.audio.measurements import AudioStats
from winnow.engines.engine import Request
from winnow.engines.inference import Result
from winnow.engines.scored_texts import REFERENCE, ScoredTexts
from winnow.roles import Role
from winnow.schema import AUDIO_IDENTITY, AUDIO_STATS, HYPOTHESIS, PLANTED_SCORES, replace_column
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis

REQUESTED = ["path", "offset", "duration", "duration_rounding", "audio_channel"]
FILLED_IN = ["duration", "reason", "detail", "mended", "found_path"]


def requests_for(
    shard: pa.Table,
    indices: list[int],
    languages: Sequence[str | None],
    root: str | None,
    texts: ScoredTexts,
    measures: tuple[str, ...] = (),
) -> list[Request]:
    """Return the requests of some rows, with these measures; those of a later pass state the identity of the audio."""
    rows = shard.select(REQUESTED).to_pydict()
    later = AUDIO_IDENTITY in shard.schema.names
    identities = shard[AUDIO_IDENTITY].to_pylist() if later else [None] * len(shard)
    return [
        Request(
            rows["path"][i],
            rows["offset"][i],
            rows["duration"][i],
            root=root,
            language=languages[i],
            identity=identities[i],
            channel=rows["audio_channel"][i],
            rounding=rows["duration_rounding"][i] or 0.0,
            texts=texts.of(i),
            comparison=texts.comparison,
            text_language=texts.languages[i],
            measures=measures,
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


def hypothesis_columns(
    results: list[Result | None], models: list[str | None], texts: ScoredTexts
) -> dict[str, pa.Array]:
    """Return the columns of HYPOTHESIS, the gaps of earlier models' hypotheses, and the doubts of planted errors."""
    rows = []
    for i, (result, model) in enumerate(zip(results, models, strict=True)):
        hypothesis = result.hypothesis if result else None
        row = hypothesis_row(hypothesis, texts.evidence(i, hypothesis)) if hypothesis else {}
        planted = {"planted_doubt": texts.planted_doubts(i, hypothesis) if hypothesis else None}
        rows.append(row | planted | {"model": model})
    kinds = HYPOTHESIS | {f"{other}_gap": pa.float64() for other in texts.earlier}
    if texts.planted is not None:
        kinds = kinds | {"planted_doubt": PLANTED_SCORES}
    return {name: pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()}


def hypothesis_row(hypothesis: Hypothesis, evidence: dict[str, TextEvidence]) -> dict[str, Any]:
    """Return the values of a hypothesis by their columns."""
    row = {
        "pred_text": hypothesis.text,
        "tokens": hypothesis.tokens,
        "confidence": hypothesis.confidence,
        "word_confidence": hypothesis.word_confidence,
        "words": None if hypothesis.words is None else [asdict(word) for word in hypothesis.words],
        "spoken_language": hypothesis.language,
        "no_speech": hypothesis.no_speech,
        **{f"{name}_gap": text.gap for name, text in evidence.items() if name != REFERENCE},
    }
    if REFERENCE not in evidence:
        return row
    reference = evidence[REFERENCE]
    measured = {"evidence": reference.evidence, "gap": reference.gap, "doubt": reference.doubt}
    stretches = reference.doubtful_words
    return (
        row
        | measured
        | {
            "doubtful": reference.doubtful,
            "doubtful_words": None if stretches is None else [asdict(words) for words in stretches],
            "no_evidence": reference.reason,
        }
    )

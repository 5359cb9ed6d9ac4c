"""Everything that a person needs to know to decide about one row."""

from typing import Any

import msgspec

from winnow.roles import ENSEMBLE, Role
from winnow.schema import INPUT_TEXT
from winnow.text.comparison import Comparison
from winnow.text.languages import row_languages
from winnow.text.spelled_like import differences

SHOWN = ("id", "audio_filepath", "offset", "duration", "decision", "reason", "reasons", "detail", "text", "proposal")
OF_MODELS = ("model", "wer", "doubt", "evidence", "no_evidence", "confidence", "doubtful_words")


def describe(row: dict[str, Any], roles: list[Role], comparison: Comparison) -> dict[str, Any]:
    """Return what is shown of a row of a judged shard: texts, what each model read, and where they differ."""
    (language,) = row_languages([row["fields"]])
    models = [
        describe_model(row, role, comparison, language) for role in roles if row.get(f"{role}_pred_text") is not None
    ]
    return {
        **{name: row.get(name) for name in (*SHOWN, INPUT_TEXT, "proposal_margin", "wer", "doubt")},
        "fields": msgspec.json.decode(row["fields"]) if row["fields"] else {},
        "language": language,
        "proposal_marks": marks(row["text"], row["proposal"], comparison, language),
        "models": models,
        "words": next((model["words"] for model in reversed(models) if model["words"]), []),
    }


def describe_model(row: dict[str, Any], role: Role, comparison: Comparison, language: str | None) -> dict[str, Any]:
    """Return what one model read, and how it differs from the reference."""
    hypothesis = row[f"{role}_pred_text"]
    return {
        "role": "vote" if role == ENSEMBLE else role,
        "text": hypothesis,
        "marks": marks(row["text"], hypothesis, comparison, language),
        "words": row.get(f"{role}_words") or [],
        "word_confidence": row.get(f"{role}_word_confidence") or [],
        **{name: row.get(f"{role}_{name}") for name in OF_MODELS},
    }


def marks(
    reference: str | None, read: str | None, comparison: Comparison, language: str | None
) -> list[dict[str, str | None]]:
    """Align a reference with another text: each stretch of it, and what the other has there; None for the same."""
    if read is None:
        return []
    parts = differences(reference or "", read, comparison, language)
    return [{"reference": part.reading, "read": part.text} for part in parts]

"""Which texts a pass compares with what its model reads, and which evidence belongs to which text."""

import pytest

from tests.conftest import shard_table
from winnow.engines.scored_texts import texts_to_score
from winnow.schema import UTTERANCE, after_transcribe
from winnow.text.comparison import BASIC
from winnow.text.evidence import TextEvidence
from winnow.text.hypothesis import Hypothesis

SHARD = shard_table(
    after_transcribe(after_transcribe(UTTERANCE, "small"), "large"),
    text=["a b", "a b", None, ""],
    small_pred_text=["a", None, "a", "a"],
    large_pred_text=["b", "b", "b", "b"],
)


@pytest.mark.parametrize(
    ("role", "texts"),
    [
        ("small", [("a b",), ("a b",), (), ()]),
        ("large", [("a b", "a"), ("a b",), (), ()]),
        ("large2", [("a b", "a", "b"), ("a b", "b"), (), ()]),
        ("model2", [("a b",), ("a b",), (), ()]),
    ],
)
def test_larger_model_scores_the_reference_and_then_what_earlier_models_read(role, texts):
    scored = texts_to_score(SHARD, role, BASIC)
    assert [scored.of(row) for row in range(4)] == texts


def test_without_evidence_there_are_the_same_columns_and_no_texts():
    scored = texts_to_score(SHARD, "large2", BASIC, wanted=False)
    assert scored.earlier == ["small", "large"]
    assert [scored.of(row) for row in range(4)] == [()] * 4


def test_evidence_is_named_after_the_text_that_it_is_about():
    scored = texts_to_score(SHARD, "large2", BASIC)
    first, second = TextEvidence(2, gap=1.0), TextEvidence(1, gap=2.0)
    assert scored.evidence(1, Hypothesis("c", evidence=(first, second))) == {"reference": first, "large": second}
    assert scored.evidence(1, Hypothesis("c")) == {}
    assert scored.evidence(2, Hypothesis("c")) == {}

"""Proposals: when what was read takes the place of a reference, and how it is written."""

import pytest

from tasks.filter import filter
from tests.conftest import shard_table
from winnow.evidence.proposals import preferred_reading
from winnow.rules.rule import Rules
from winnow.schema import BEFORE_FILTER, FILTERED

WRONG = {
    "text": "five nine eight",
    "fields": None,
    "band": "escalate",
    "small_pred_text": "five two eight",
    "small_wer": 1 / 3,
    "small_gap": 12.0,
    "small_doubt": 8.0,
    "large_pred_text": "five two eight",
    "large_wer": 1 / 3,
    "large_gap": 30.0,
    "large_doubt": 25.0,
    "large_small_gap": 0.0,
}
"""A reference with a wrong word, which both models read alike and without doubt."""

NO_RULES = Rules(rules=())


def judged(**changes: object) -> dict:
    row = WRONG | changes
    table = filter(shard_table(BEFORE_FILTER, **{name: [value] for name, value in row.items()}), NO_RULES)
    assert table.schema == FILTERED
    return table.to_pylist()[0]


def test_what_both_models_read_is_proposed_with_the_smaller_margin():
    row = judged()
    assert (row["proposal"], row["proposal_margin"]) == ("five two eight", 12.0)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"small_gap": 0.0, "small_doubt": 0.0}, id="one model read the reference"),
        pytest.param({"small_gap": 1.0, "small_doubt": 0.9}, id="one model hardly doubts the reference"),
        pytest.param({"large_gap": 100.0, "large_doubt": 10.0}, id="one model is uncertain of what it read"),
        pytest.param({"large_pred_text": "five too eight", "large_small_gap": 0.4}, id="the models read other words"),
        pytest.param({"band": "accept", "audit": True}, id="the large model read the row for the audit only"),
        pytest.param({"large_pred_text": None, "large_gap": None, "large_doubt": None}, id="one model read the row"),
        pytest.param({"small_gap": None, "small_doubt": None}, id="one model cannot tell how likely the reference is"),
        pytest.param({"small_pred_text": "", "large_pred_text": ""}, id="nothing was read"),
        pytest.param({"reason": "AUDIO_MISSING", "small_pred_text": None}, id="the row is quarantined"),
    ],
)  # fmt: skip
def test_reference_stands_unless_all_models_doubt_it_and_are_certain_of_the_same_words(changes):
    row = judged(**changes)
    assert (row["proposal"], row["proposal_margin"]) == (None, None)


@pytest.mark.parametrize(
    ("reference", "read", "proposal"),
    [
        ("Five, nine, eight.", "five two eight", "Five, two eight."),
        ("Meet me at 10:30!", "meet him at ten thirty", "Meet him at 10:30!"),
        ("good morning", "good morning to you", "good morning to you"),
        ("今天天气很好", "今天天气不好", "今天天气不好"),
    ],
)
def test_proposal_keeps_the_spelling_of_the_words_that_were_said(reference, read, proposal):
    row = judged(text=reference, small_pred_text=read, large_pred_text=read, fields='{"lang": "en"}')
    assert row["proposal"] == proposal


def test_models_that_read_differently_may_prefer_the_same_reading():
    row = WRONG | {"large_pred_text": "five to eight", "large_small_gap": 0.5, "small_large_gap": None}
    reading = preferred_reading(row, ["small", "large"], "basic")
    assert reading == ("five two eight", {"small": 0.0, "large": 0.5}, 12.0)


def test_reading_that_one_model_finds_less_likely_than_the_reference_is_not_preferred():
    row = WRONG | {"large_pred_text": "five nine eight", "large_gap": 0.0, "large_small_gap": 9.0}
    assert preferred_reading(row, ["small", "large"], "basic") is None

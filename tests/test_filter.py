"""The rules: which rows they keep, and what they say of the others."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.config import Filter
from tasks.filter import judge
from tasks.measures import MEASURES
from tasks.presets import FILTERS
from tasks.repeats import hashed, repeats
from tasks.rules import Rules, parse
from tasks.schema import BEFORE_RULES, JUDGED
from tests.test_stages import shard


def rules_of(given: Filter) -> Rules:
    return Rules(rules=tuple(map(str, given.in_force)))


def judged(given: Filter, **columns: list) -> list[tuple]:
    table = judge(shard(BEFORE_RULES, **columns), rules_of(given))
    assert table.schema == JUDGED
    return [tuple(row[name] for name in ("model", "wer", "decision", "reason")) for row in table.to_pylist()]


def test_the_large_models_reading_counts_where_it_read():
    rows = judged(
        Filter(),
        text=["a b"] * 5,
        small_pred_text=["a b", "x b", "x y", None, "x b"],
        small_wer=[0.0, 0.5, 1.0, None, 0.5],
        band=["accept", "escalate", "escalate", None, "escalate"],
        large_pred_text=[None, "a b", "", None, None],
        large_wer=[None, 0.0, 1.0, None, None],
        reason=[None, None, None, "AUDIO_MISSING", "MODEL_ERROR"],
    )
    assert rows == [
        ("small", 0.0, "keep", None),
        ("large", 0.0, "keep", None),
        ("large", 1.0, "drop", "WER_ABOVE_MAX"),
        (None, None, "quarantine", "AUDIO_MISSING"),
        ("small", 0.5, "quarantine", "MODEL_ERROR"),
    ]


@pytest.mark.parametrize(
    ("rules", "decision"),
    [
        (Filter(), ("keep", None)),
        (Filter(max_wer=0.1), ("drop", "WER_ABOVE_MAX")),
        (Filter(preset="none"), ("keep", None)),
        (Filter(min_duration=2.5), ("drop", "DURATION_BELOW_MIN")),
        (Filter(max_duration=1.5), ("drop", "DURATION_ABOVE_MAX")),
        (Filter(min_char_rate=6), ("drop", "CHAR_RATE_BELOW_MIN")),
        (Filter(max_char_rate=5), ("drop", "CHAR_RATE_ABOVE_MAX")),
        (Filter(max_duration=1.5, max_wer=0.1), ("drop", "DURATION_ABOVE_MAX")),
    ],
)
def test_each_rule_names_its_reason_and_the_first_counts(rules, decision):
    # eleven characters in two seconds
    columns = {"duration": [2.0], "text": ["hello world"], "small_pred_text": ["hello word"], "small_wer": [0.2]}
    assert judged(rules, **columns) == [("small", 0.2, *decision)]


def test_what_the_gate_gave_up_says_so():
    columns = {"text": ["a"], "small_pred_text": ["b c"], "small_wer": [2.0], "band": ["reject"]}
    assert judged(Filter(), **columns) == [("small", 2.0, "drop", "WER_ABOVE_REJECT")]

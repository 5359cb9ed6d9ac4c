"""Score, gate and rules: what a shard says before and after."""

import pyarrow as pa
import pytest

from tasks.cascade import gate
from tasks.config import Curation, Filter, Gate
from tasks.filter import judge
from tasks.schema import BEFORE_RULES, JUDGED, UTTERANCE, heard, with_columns
from tasks.score import score


def shard(schema: pa.Schema, **columns: list) -> pa.Table:
    size = len(next(iter(columns.values())))
    table = pa.table({"id": list(range(1, size + 1))} | columns)
    return with_columns(table, schema) if table.schema.names else table


def test_score_compares_what_was_heard_with_the_reference():
    table = shard(
        heard(UTTERANCE, "small"),
        text=["Good morning, Sir.", "good morning", "good morning", "?!"],
        small_pred_text=["good morning sir", "", None, "hello"],
        reason=[None, None, "AUDIO_MISSING", None],
    )
    scored = score(table, role="small", normalizer="basic")
    assert scored["small_wer"].to_pylist() == [0.0, 1.0, None, None]
    assert scored["reason"].to_pylist() == [None, None, "AUDIO_MISSING", "EMPTY_REFERENCE"]


WERS = [0.0, 0.25, 0.26, 0.5, 0.51, 1.05, 1.06, None]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["accept"] * 2 + ["escalate"] * 4 + ["reject", None]),
        ({"gate": Gate(preset="guide")}, ["escalate"] * 4 + ["reject"] * 3 + [None]),
        ({"gate": Gate(preset="everything")}, ["escalate"] * 7 + [None]),
        ({"gate": Gate(accept=0, reject=0.5)}, ["accept"] + ["escalate"] * 3 + ["reject"] * 3 + [None]),
        ({"filter": Filter(max_wer=0.1)}, ["accept"] + ["escalate"] * 5 + ["reject", None]),
        ({"gate": Gate(preset="guide", reject=1)}, ["escalate"] * 5 + ["reject"] * 2 + [None]),
    ],
)
def test_the_gate_has_three_bands(parameters, expected):
    table = shard(pa.schema([("id", pa.int64()), ("small_wer", pa.float64())]), small_wer=WERS)
    assert gate(table, curation(**parameters).bands)["band"].to_pylist() == expected


def test_the_gate_lets_the_small_model_decide_where_a_language_has_no_other():
    schema = pa.schema([("id", pa.int64()), ("fields", pa.string()), ("small_wer", pa.float64())])
    spoken = ['{"lang": "hy"}', '{"lang": "hy-AM"}', '{"lang": "de"}', "{}"]
    table = shard(schema, small_wer=[0.0, 0.5, 0.5, 0.5], fields=spoken)
    assert gate(table, curation().bands, ["hy"])["band"].to_pylist() == [None, None, "escalate", "escalate"]


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"gate": Gate(preset="guide", accept=0.2, reject=0.1)}, r"accept \(0.2\) lies above reject \(0.1\)"),
        (
            {"gate": Gate(accept=0.2), "filter": Filter(max_wer=0.1)},
            r"\(0.2\) lies above filter.max_wer \(0.1\)",
        ),
    ],
)
def test_bands_without_sense_are_refused(parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        curation(**parameters)


def curation(**parameters) -> Curation:
    return Curation(manifest="corpus.jsonl", output="out", small="small.nemo", large="large.nemo", **parameters)


def judged(rules: Filter, **columns: list) -> list[tuple]:
    table = judge(shard(BEFORE_RULES, **columns), rules)
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
        (Filter(max_wer=None), ("keep", None)),
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

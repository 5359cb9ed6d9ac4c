"""Score and gate: what a shard says before and after."""

import pyarrow as pa
import pytest

from tasks.cascade import gate
from tasks.config import Curation, Filter, Gate
from tasks.schema import UTTERANCE, heard
from tasks.score import score
from tests.conftest import shard


def test_score_compares_what_was_heard_with_the_reference():
    table = shard(
        heard(UTTERANCE, "small"),
        text=["Good morning, Sir.", "good morning", "good morning", "?!"],
        small_pred_text=["good morning sir", "", None, "hello"],
        reason=[None, None, "AUDIO_MISSING", None],
    )
    scored = score(table, role="small", normalizer="basic")
    assert scored["small_wer"].to_pylist() == [0.0, 1.0, None, None]
    assert scored["small_exact_wer"].to_pylist() == [1.0, 1.0, None, None]
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
            r"\(0.2\) lies above the filter's WER \(0.1\)",
        ),
    ],
)
def test_bands_without_sense_are_refused(parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        curation(**parameters)


def curation(**parameters) -> Curation:
    return Curation(manifest="corpus.jsonl", output="out", small="small.nemo", large="large.nemo", **parameters)

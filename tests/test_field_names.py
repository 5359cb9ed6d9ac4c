"""Fields of a manifest with the names of Winnow's columns: one name, in every output and in rules."""

import json

import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st

from tests.in_process import curate, ensemble
from winnow.rules.columns import RULE_COLUMNS
from winnow.rules.field_names import field_of, is_reserved, output_names
from winnow.schema import FILTERED, after_combine, after_filter, after_gate, after_score, after_transcribe


def test_field_with_the_name_of_a_column_gets_a_prefix_that_depends_on_nothing_else():
    names = ["id", "input_id", "speaker", "input_input_id", "pred_text", "input_speaker", "model2_wer", "tokens"]
    assert list(output_names(names).values()) == [
        "input_id",
        "input_input_id",
        "speaker",
        "input_input_input_id",
        "input_pred_text",
        "input_speaker",
        "input_model2_wer",
        "input_tokens",
    ]


NAMES = st.sampled_from(["wer", "id", "speaker", "", "large3_cer", "large_band", "model_cer", "words"])


@given(st.lists(st.tuples(st.integers(0, 3), NAMES).map(lambda name: "input_" * name[0] + name[1]), unique=True))
@example(["wer", "input_wer"])
def test_no_two_fields_share_a_name_and_each_is_found_by_its_own(fields):
    names = output_names(fields)
    assert len(set(names.values())) == len(fields)
    assert not any(map(is_reserved, names.values()))
    assert {field: field_of(name) for field, name in names.items()} == {field: field for field in fields}


def test_every_column_of_any_run_is_reserved():
    third = after_score(after_transcribe(after_gate(FILTERED, "large"), "large2"), "large2")
    vote = after_filter(after_score(after_combine(after_transcribe(FILTERED, "model2")), "ensemble"))
    for name in {*third.names, *vote.names, *RULE_COLUMNS}:
        assert is_reserved(name)
        assert field_of(name) is None


def test_rules_on_output_that_is_curated_again_read_what_the_output_shows(manifest, hears, tmp_path):
    """The model is a better one each time; a rule on an earlier run's WER finds the rows that this WER shows."""
    names = {name: str(tmp_path / f"{name}.wav") for name in "abc"}
    source = manifest(*({"audio_filepath": f"{name}.wav", "text": "one two three four"} for name in "abc"))
    heard = [
        {"a": "one two three", "b": "one two", "c": "one"},
        {"a": "one two three four", "b": "one two three", "c": "one two"},
        {"a": "one two three four", "b": "one two three four", "c": "one two three"},
    ]
    for number, texts in enumerate(heard, 1):
        models = hears(small={names[name]: text for name, text in texts.items()})
        curate(manifest=source, output=tmp_path / f"{number}", filter={"preset": "none"}, **models)
        source = tmp_path / f"{number}" / "manifest.jsonl"
    rows = pq.read_table(tmp_path / "3" / "data").to_pylist()
    lines = [json.loads(line) for line in source.read_text().splitlines()]
    wers = [(row["wer"], row["input_wer"], row["input_input_wer"]) for row in rows]
    assert wers == [(0.0, 0.0, 0.25), (0.0, 0.25, 0.5), (0.25, 0.5, 0.75)]
    assert [(line["wer"], line["input_wer"], line["input_input_wer"]) for line in lines] == wers
    models = hears(small={names[name]: text for name, text in heard[2].items()})
    for column in ("wer", "input_wer", "input_input_wer"):
        rules = {"preset": "none", "rules": [f"{column} <= 0.25"]}
        again = tmp_path / "again" / column
        curate(manifest=tmp_path / "2" / "manifest.jsonl", output=again, filter=rules, **models)
        kept = pq.read_table(again / "data").to_pylist()
        assert [row["id"] for row in kept] == [row["id"] for row in rows if row[column] <= 0.25]


def test_ensemble_names_fields_as_a_cascade_does(manifest, hears, tmp_path):
    corpus = manifest({"audio_filepath": "a.wav", "text": "one", "wer": 0.5, "large_wer": 0.7, "input_wer": 0.9})
    models = hears(one={"a.wav": "one"}, two={"a.wav": "One!"})
    rules = {"rules": ["input_wer == 0.5", "input_large_wer == 0.7", "input_input_wer == 0.9"]}
    report = ensemble(manifest=corpus, output=tmp_path / "run", models=list(models.values()), filter=rules)
    assert report.kept == 1
    (row,) = pq.read_table(tmp_path / "run" / "data").to_pylist()
    assert [row[name] for name in ("wer", "input_wer", "input_large_wer", "input_input_wer")] == [0.0, 0.5, 0.7, 0.9]

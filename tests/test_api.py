"""The public API: `from winnow import …`."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import winnow
from tests.conftest import DEMO
from tests.in_process import curate
from winnow import Decision, Run, WinnowError, judge, open_corpus, open_run, score, transcribe
from winnow.engines.engine import Checkpoint
from winnow.errors import CheckpointError, InputError, ManifestError, MissingColumns, OutputError, RuleError

Write = Callable[..., Any]


def test_importing_winnow_imports_neither_prefect_nor_torch_nor_nemo():
    code = "import sys, winnow; print({'prefect', 'torch', 'nemo', 'pyarrow', 'pydantic'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"


def test_every_public_name_exists_and_is_documented():
    for name in winnow.__all__:
        assert getattr(winnow, name).__doc__ or name == "Normalizer", name
    assert set(winnow.__all__) <= set(dir(winnow))


def test_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'transcribe_all'"):
        _ = winnow.transcribe_all


def test_package_is_marked_as_typed():
    assert (Path(winnow.__file__).parent / "py.typed").exists()


def test_corpus_yields_every_row_with_its_reason(manifest: Write):
    path = manifest(
        {"audio_filepath": "a.wav", "text": "good morning", "duration": 1800.0, "lang": "en", "speaker": 7},
        b"",
        {"audio_filepath": "b.wav", "duration": 3600.0, "lang": "de"},
        b"no json",
    )
    corpus = open_corpus(path)
    first, second, third = corpus
    assert (first.id, first.text, first.path) == (1, "good morning", str(path.parent / "a.wav"))
    assert (first.fields, first.language, first.reason) == ({"lang": "en", "speaker": 7}, "en", None)
    assert (second.id, second.reason) == (3, "BAD_TEXT")
    assert (third.id, third.reason) == (4, "BAD_JSON")
    assert (corpus.hours, corpus.languages) == (1.5, {"de": 1.0, "en": 0.5})
    assert [row.reason for row in open_corpus(path, require_text=False)] == [None, None, "BAD_JSON"]


def test_nonexistent_manifest_is_refused(tmp_path: Path):
    with pytest.raises(ManifestError, match="no such manifest"):
        open_corpus(tmp_path / "none.jsonl")


def test_results_come_in_the_order_of_the_files(demo_small: Checkpoint):
    audio = DEMO / "corpus" / "audio"
    long, missing, short = transcribe([audio / "000.flac", "none.wav", audio / "003.ogg"], demo_small.pinned_name)
    assert long.hypothesis is not None
    assert long.hypothesis.text.startswith("set the camera to two then how far is it")
    assert (missing.hypothesis, missing.reason) == (None, "AUDIO_MISSING")
    assert short.hypothesis is not None
    assert short.stats is not None
    assert short.stats.seconds == pytest.approx(3.68, abs=0.01)
    assert len(short.hypothesis.text) < len(long.hypothesis.text)


def test_model_from_a_hub_requires_a_pin_or_trust():
    with pytest.raises(CheckpointError, match="parakeet-tdt_ctc-110m: not pinned"):
        transcribe([], "parakeet-tdt_ctc-110m")
    assert transcribe([], DEMO / "small.nemo") == []


def test_transcribed_corpus_keeps_the_reasons_of_bad_rows(manifest: Write, hears: Write):
    path = manifest({"audio_filepath": "a.wav", "text": "good morning"}, {"audio_filepath": "b.wav"})
    results = transcribe(open_corpus(path), hears(small={"a.wav": "good evening"})["small"])
    assert [result.hypothesis and result.hypothesis.text for result in results] == ["good evening", None]
    assert results[1].reason == "BAD_TEXT"


def test_score_normalizes_both_texts():
    measures = score("Good morning, everyone!", "good morning every one")
    assert measures is not None
    assert (measures.hits, measures.substitutions, measures.insertions) == (2, 1, 1)
    assert measures.wer == pytest.approx(2 / 3)
    exact = score("Good morning", "good morning", normalizer="none")
    assert exact is not None
    assert exact.wer == 0.5
    assert score("…", "anything") is None


def test_judge_names_every_violated_rule():
    rows = [
        {"text": "good morning", "pred_text": "good morning", "duration": 2.0, "lang": "en"},
        {"text": "good morning", "pred_text": "good evening", "duration": 30.0, "lang": "de"},
        {"text": "good morning", "duration": 1.0, "lang": "en", "reason": "AUDIO_MISSING"},
    ]
    assert judge(rows, ["wer <= 0.25", "duration in 1..20", 'lang == "en"']) == [
        Decision("keep"),
        Decision("drop", ("WER_ABOVE_MAX", "DURATION_ABOVE_MAX", "LANG_DIFFERS")),
        Decision("quarantine", ("AUDIO_MISSING",)),
    ]


def test_judge_counts_repeated_references_and_known_phrases():
    rows = [{"text": text, "pred_text": text, "duration": 1.0} for text in ("hello", "thank you", "hello")]
    decisions = judge(rows, ["occurrence(text) <= 1", "known_phrase(text) == false"], phrases=["Thank you!"])
    assert [decision.reason for decision in decisions] == [None, "KNOWN_PHRASE", "OCCURRENCE_ABOVE_MAX"]


def test_judge_uses_scores_that_the_rows_have():
    rows = [{"text": "one two", "pred_text": "one two", "wer": 0.9, "confidence": 0.4}]
    assert judge(rows, ["wer <= 0.5", "confidence >= 0.5"])[0].reasons == ("WER_ABOVE_MAX", "CONFIDENCE_BELOW_MIN")


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("nonsense", RuleError),
        ("dnsmos >= 3", MissingColumns),
        ("confidence >= 0.5", MissingColumns),
        ("large_wer <= 0.1", RuleError),
        ("char_rate >= 1", MissingColumns),
        ("text <= 3", RuleError),
    ],
)
def test_judge_refuses_a_rule_that_the_rows_cannot_answer(rule: str, error: type[WinnowError]):
    with pytest.raises(error):
        judge([{"text": "good morning", "pred_text": "good morning"}], [rule])


def test_judge_refuses_a_value_of_the_wrong_type():
    with pytest.raises(InputError, match="cannot judge the rows"):
        judge([{"text": "one", "pred_text": "one", "duration": "long"}], ["duration >= 1"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Six seconds of tone, of which the small model transcribes one wrong and the large one corrects it."""
    folder = tmp_path_factory.mktemp("api")
    references = {"a.wav": "good morning", "b.wav": "hello there", "c.wav": "good night", "d.wav": None}
    for name in references:
        soundfile.write(folder / name, np.zeros(16_000), 16_000)
    small = {"a.wav": "good morning", "b.wav": "hello bear", "c.wav": "shut the door"}
    paths = [
        write_lines(folder / "corpus.jsonl", "text", references),
        write_lines(folder / "small.jsonl", "pred_text", small),
        write_lines(folder / "large.jsonl", "pred_text", {"b.wav": "hello there"}),
    ]
    parameters = dict(zip(("manifest", "small", "large"), map(str, paths), strict=True))
    curate(**parameters, output=str(folder / "run"), gate={"audit": 0.0})
    return open_run(folder / "run")


def write_lines(path: Path, field: str, texts: Mapping[str, str | None]) -> Path:
    path.write_text("".join(json.dumps({"audio_filepath": name, field: text}) + "\n" for name, text in texts.items()))
    return path


def test_run_has_its_report_and_rows(run: Run):
    assert (run.report.kept, run.report.dropped, run.report.quarantined) == (2, 1, 1)
    assert run.roles == ["small", "large"]
    assert run.data(["id", "pred_text"]).to_pylist() == [
        {"id": 1, "pred_text": "good morning"},
        {"id": 2, "pred_text": "hello there"},
    ]
    assert run.rejects()["reason"].to_pylist() == ["REJECTED_BY_GATE", "BAD_TEXT"]
    assert [row["decision"] for row in run] == ["keep", "keep", "drop", "quarantine"]
    assert len(run) == 4


def test_run_has_the_hypotheses_of_each_model(run: Run):
    assert run.hypotheses("small")["pred_text"].to_pylist() == [
        "good morning",
        "hello bear",
        "shut the door",
    ]
    large = run.hypotheses("large").to_pylist()
    assert [(row["id"], row["pred_text"], row["wer"]) for row in large] == [(2, "hello there", 0.0)]
    with pytest.raises(InputError, match="no role 'medium'; the run has small, large"):
        run.hypotheses("medium")


def test_judging_a_run_by_its_own_rules_repeats_its_decisions(run: Run):
    rows = list(run)
    decisions = judge(rows, ['REJECTED_BY_GATE: last_band != "reject"', "wer <= 0.25"])
    assert [decision.decision for decision in decisions] == [row["decision"] for row in rows]
    assert [list(decision.reasons) for decision in decisions[2:3]] == [rows[2]["reasons"]]


def test_run_is_verified_from_its_bytes(run: Run):
    assert all(promise.holds for promise in run.verify())


def test_folder_without_a_complete_run_is_refused(tmp_path: Path):
    with pytest.raises(OutputError):
        open_run(tmp_path)


def test_unknown_column_of_a_run_is_refused(run: Run):
    with pytest.raises(InputError, match="no column 'mood'"):
        run.data(["id", "mood"])

"""Ensembles: hypotheses of several models combined, and what is kept of them."""

import json
import re

import pytest

from benchmarks.ensemble import MODELS, add_noise, demo_speech, methods, transcribe_utterances, word_error_rate
from flows.ensemble import ensemble as ensemble_with_prefect
from tasks.combine import combine
from tasks.filter import filter
from tests.conftest import published_rows, shard_table
from tests.in_process import ensemble
from winnow.errors import OptionError, RunMismatch
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.filter import Filter
from winnow.roles import ENSEMBLE
from winnow.rules.rule import Rules
from winnow.runs.run_record import load_settings
from winnow.runs.verify import verify_run
from winnow.schema import UTTERANCE, after_combine, after_score, after_transcribe
from winnow.text.rover import VoteWeights

TRANSCRIBED = after_transcribe(after_transcribe(after_transcribe(UTTERANCE, "model1"), "model2"), "model3")
ROLES = ["model1", "model2", "model3"]


def combined_rows(method: str = "rover", votes: VoteWeights | None = None, **columns: list) -> list[tuple]:
    table = combine(shard_table(TRANSCRIBED, **columns), ROLES, method, votes or VoteWeights(), "basic")
    assert table.schema == after_combine(TRANSCRIBED)
    return [
        tuple(row[name] for name in ("ensemble_pred_text", "model", "ensemble_agreement")) for row in table.to_pylist()
    ]


def test_rover_ensemble_has_the_words_of_most_models():
    rows = combined_rows(
        model1_pred_text=["good morning", "a", None, "x"],
        model2_pred_text=["Good morning.", "a b", "a", "x"],
        model3_pred_text=["could morning", "a b", "a", "x"],
        reason=[None, None, "MODEL_ERROR", "AUDIO_MISSING"],
    )
    assert rows == [
        ("Good morning", "ensemble", pytest.approx(5 / 6)),
        ("a b", "ensemble", pytest.approx(5 / 6)),
        (None, None, None),
        (None, None, None),
    ]


def test_most_confident_hypothesis_names_its_model():
    columns = {
        "model1_pred_text": ["a b"],
        "model2_pred_text": ["a c"],
        "model3_pred_text": [""],
        "model1_confidence": [0.6],
        "model2_confidence": [0.9],
    }
    assert combined_rows("confidence", **columns) == [("a c", "model2", 0.5)]
    with pytest.raises(
        OptionError, match="--method confidence: model3 has no confidence for line 1: use --method rover"
    ):
        combined_rows("confidence", **columns | {"model3_pred_text": ["a"]})


@pytest.mark.parametrize(
    ("rules", "columns", "expected"),
    [
        (Filter(), {"ensemble_wer": [0.2], "ensemble_agreement": [0.4]}, ("keep", None)),
        (Filter(), {"ensemble_wer": [0.3], "ensemble_agreement": [1.0]}, ("drop", "WER_ABOVE_MAX")),
        (Filter(preset="none"), {"ensemble_wer": [0.3], "ensemble_agreement": [0.4]}, ("keep", None)),
        (Filter(min_agreement=0.8), {"ensemble_agreement": [0.8]}, ("keep", None)),
        (Filter(min_agreement=0.8), {"ensemble_agreement": [0.7]}, ("drop", "AGREEMENT_BELOW_MIN")),
        (Filter(min_agreement=None), {"ensemble_agreement": [0.1]}, ("keep", None)),
        (Filter(min_agreement=None), {"ensemble_pred_text": [""]}, ("drop", "NOTHING_HEARD")),
        (Filter(), {"ensemble_pred_text": [""], "ensemble_wer": [1.0]}, ("drop", "WER_ABOVE_MAX")),
        (Filter(min_duration=2.5), {"ensemble_agreement": [0.1]}, ("drop", "DURATION_BELOW_MIN")),
        (Filter(max_duration=1.5), {"ensemble_agreement": [0.1]}, ("drop", "DURATION_ABOVE_MAX")),
        (Filter(), {"reason": ["AUDIO_MISSING"], "ensemble_pred_text": [None]}, ("quarantine", "AUDIO_MISSING")),
    ],
)
def test_rows_are_kept_by_wer_with_a_reference_and_by_agreement_without(rules, columns, expected):
    rows = shard_table(
        after_score(after_combine(TRANSCRIBED), ENSEMBLE), **{"duration": [2.0], "ensemble_pred_text": ["a"]} | columns
    )
    table = filter(
        rows, Rules(rules=tuple(map(str, rules.active_rules)), unreferenced=tuple(map(str, rules.unreferenced_rules)))
    )
    assert [(row["decision"], row["reason"]) for row in table.to_pylist()] == [expected]


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"models": ["a.nemo"]}, "at least 2"),
        (
            {"method": "confidence", "rover": {"alpha": 0.7}},
            "--rover.alpha: not used, because --method confidence takes no vote",
        ),
        (
            {"models_placement": {"pool": "a100"}},
            "--models-placement.pool: not used, because --devices inline starts no workers",
        ),
        ({"dask": {"workers": 2}, "devices": "tcp://host:8786"}, "--dask.workers: needs --devices local"),
        ({"models": ["a.nemo", "https://me:secret@host/b.nemo"]}, "credentials"),
    ],
)
def test_contradicting_parameters_are_refused(parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        Ensemble(**{"manifest": "a.jsonl", "output": "out", "models": ["a.nemo", "b.nemo"]} | parameters)


CORPUS = [
    {"audio_filepath": "right.wav", "text": "Good morning to you."},
    {"audio_filepath": "wrong.wav", "text": "see you later"},
    {"audio_filepath": "new.wav", "speaker": "anna"},
    {"audio_filepath": "doubtful.wav", "text": None},
    {"audio_filepath": "silent.wav", "text": ""},
    {"audio_filepath": "number.wav", "text": [5, 6]},
    {"audio_filepath": "new.wav"},
]
HEARD = {
    "one": {
        "right.wav": "good morning two you",
        "wrong.wav": "good evening",
        "new.wav": "how do you do",
        "doubtful.wav": "yes",
        "silent.wav": "",
    },
    "two": {
        "right.wav": "good morning to you",
        "wrong.wav": "good evening",
        "new.wav": "How do you do?",
        "doubtful.wav": "guess",
        "silent.wav": "",
    },
    "three": {
        "right.wav": "could morning to you",
        "wrong.wav": "good evening",
        "new.wav": "How do you do?",
        "doubtful.wav": "dress",
        "silent.wav": "",
    },
}


def test_manifest_without_references_gets_the_text_that_models_agree_on(manifest, hears, tmp_path):
    run = tmp_path / "run"
    models = list(hears(**HEARD).values())
    settings = {"manifest": manifest(*CORPUS), "output": run, "models": models}
    report = ensemble(**settings)
    columns = ("id", "pred_text", "wer", "agreement", "decision", "reason")
    assert [tuple(row[name] for name in columns) for row in published_rows(run)] == [
        (1, "good morning to you", 0.0, pytest.approx(5 / 6), "keep", None),
        (2, "good evening", 1.0, 1.0, "drop", "WER_ABOVE_MAX"),
        (3, "How do you do?", None, 1.0, "keep", None),
        (4, "dress", None, pytest.approx(1 / 3), "drop", "AGREEMENT_BELOW_MIN"),
        (5, "", None, None, "drop", "NOTHING_HEARD"),
        (6, None, None, None, "quarantine", "BAD_TEXT"),
        (7, None, None, None, "quarantine", "DUPLICATE_UTT"),
    ]
    labelled, pseudo = map(json.loads, (run / "manifest.jsonl").read_text().splitlines())
    assert labelled["text"] == "Good morning to you."
    names = ("text", "speaker", "agreement", "wer")
    assert [pseudo[name] for name in names] == ["How do you do?", "anna", 1.0, None]

    assert {name: distribution.mean for name, distribution in report.wer.items()} == {
        "all": 0.5,
        "kept": 0.0,
        "model1": 0.625,
        "model2": 0.5,
        "model3": 0.625,
    }
    assert [level.utterances for level in report.agreement.levels] == [2, 2, 2, 2, 3, 3, 3, 3]
    assert all(check.holds for check in verify_run(run))
    assert ensemble(**settings) == report
    assert isinstance(load_settings(run), Ensemble)
    with pytest.raises(RunMismatch, match=r"rover\.alpha"):
        ensemble(**settings, rover={"alpha": 1.0})
    with pytest.raises(OptionError, match=r"one\.jsonl is listed twice"):
        ensemble(**settings | {"models": [*models, models[0]]})


def test_report_without_references_shows_agreement(manifest, hears, tmp_path, prefect_server):
    """Through Prefect."""
    models = hears(one={"a.wav": "yes", "b.wav": "one two"}, two={"a.wav": "Yes!", "b.wav": "one too"})
    corpus = manifest({"audio_filepath": "a.wav"}, {"audio_filepath": "b.wav"})
    rules = {"rules": ["copies(text) <= 1"]}  # it does not concern them
    report = ensemble_with_prefect(manifest=corpus, output=tmp_path / "run", models=list(models.values()), filter=rules)
    assert (report.kept, report.dropped, report.agreement.mean) == (1, 1, 0.875)
    page = (tmp_path / "run" / "report.html").read_text()
    headings = ["Decisions", "Recommendations", "Agreement", "Reasons", "Speed", "Examples", "Provenance"]
    assert re.findall("<h2>(.*?)</h2>", page) == headings
    assert "Nothing stands out." in page


@pytest.fixture(scope="module")
def noisy_speech(tmp_path_factory) -> tuple[list, list]:
    """Return every fourth utterance of the demo with more noise, and the hypotheses of its three checkpoints."""
    utterances = list(add_noise(demo_speech()[::4], tmp_path_factory.mktemp("noise")))
    return utterances, transcribe_utterances(utterances)


@pytest.mark.soak
def test_rover_has_a_lower_wer_in_noise_than_the_best_demo_model(noisy_speech):
    rates = {name: word_error_rate(*noisy_speech, method) for name, method in methods().items()}
    assert rates["ROVER"] < min(rates[name] for name in MODELS), rates

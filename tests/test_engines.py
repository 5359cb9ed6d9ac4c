"""The engine seam: each model name has one engine, and a new engine is one class and one line."""

from hashlib import sha256
from pathlib import Path

import pytest

from cli.app import app
from tests.conftest import ROOT, published_rows
from tests.in_process import curate, ensemble
from winnow.engines.batching import BatchLimits
from winnow.engines.engine import Checkpoint, Engine
from winnow.engines.registry import ENGINES, engine_for, is_path, versions_for
from winnow.errors import CheckpointError, OptionError
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis
from winnow.validation.engine_options import check_options


class ToyModel:
    """A model that transcribes the same words for every file."""

    sample_rate, threads, batches_per_call, batch_limits, runtime = 16_000, 1, 1, BatchLimits(60), {"device": "toy"}

    def __init__(self, words):
        self.words = words

    def transcribe(self, batches):
        return [Hypothesis(self.words) for batch in batches for _ in batch]

    def peak_device_bytes(self):
        return None


class ToyEngine(Engine):
    """Models whose name is the text that they always transcribe."""

    name, model_names = "toy", "toy:WORDS"

    def claims(self, model_name):
        return model_name.startswith("toy:")

    def resolve(self, model_name):
        digest = sha256(model_name.encode()).hexdigest()
        return Checkpoint(name=model_name, path=Path(), family="toy", sha256=digest)

    def load(self, checkpoint, options):
        return ToyModel(checkpoint.name.removeprefix("toy:"))

    def versions(self):
        return {"toy": "1"}


LACKING = {
    "a NeMo checkpoint": ("demo/small.nemo", "word times: multitask models have none (multitask)"),
    "Whisper": ("whisper:none", "spoken language: it knows English alone (whisper-en)"),
    "transcripts": ("{transcripts}", "confidence: null unless the file has it"),
    "an engine that says nothing": ("toy:words", "evidence: its engine gives texts alone"),
}


@pytest.mark.parametrize(("name", "lacking"), LACKING.values(), ids=LACKING)
def test_what_a_model_cannot_give_is_shown(name, lacking, register, tmp_path, capsys, monkeypatch):
    register(ENGINES, ToyEngine(), name="toy")
    monkeypatch.chdir(ROOT)
    (tmp_path / "theirs.jsonl").write_text("")
    app(["models", "show", name.format(transcripts=tmp_path / "theirs.jsonl")], result_action="return_value")
    assert lacking in " ".join(capsys.readouterr().out.split())


def test_registered_engine_curates_a_corpus(manifest, tmp_path, register):
    register(ENGINES, ToyEngine(), name="toy")
    rows = [{"audio_filepath": f"{name}.wav", "duration": 1.0, "text": "good morning"} for name in "ab"]
    report = curate(
        manifest=manifest(*rows), output=str(tmp_path / "run"), small="toy:good evening", large="toy:good morning"
    )
    assert report.kept == 2
    assert [(row["small_pred_text"], row["pred_text"]) for row in published_rows(tmp_path / "run")] == [
        ("good evening", "good morning")
    ] * 2


def test_languages_of_one_run_have_models_of_several_engines(manifest, tmp_path, register, hears):
    register(ENGINES, ToyEngine(), name="toy")
    rows = [
        {"audio_filepath": "a.wav", "duration": 1.0, "text": "good morning", "lang": "en"},
        {"audio_filepath": "b.wav", "duration": 1.0, "text": "guten morgen", "lang": "de"},
    ]
    report = curate(
        manifest=manifest(*rows), output=str(tmp_path / "run"), languages={"de": {"small": "toy:guten morgen"}},
        small=hears(small={"a.wav": "good morning"})["small"],
    )  # fmt: skip
    assert report.kept == 2
    models = [(row["lang"], row["small_model"].rpartition("/")[2]) for row in published_rows(tmp_path / "run")]
    assert models == [("en", "small.jsonl"), ("de", "toy:guten morgen")]


def test_ensemble_of_several_engines_votes_by_words_alone_if_one_has_no_confidence(manifest, tmp_path, register, hears):
    register(ENGINES, ToyEngine(), name="toy")
    theirs = hears(first={"a.wav": "good morning"}, second={"a.wav": "good evening"})
    ensemble(
        manifest=manifest({"audio_filepath": "a.wav", "duration": 1.0, "text": "good morning"}),
        output=str(tmp_path / "run"), models=[*theirs.values(), "toy:good morning"],
    )  # fmt: skip
    (row,) = published_rows(tmp_path / "run")
    assert (row["decision"], row["pred_text"], row["ensemble_confidence"]) == ("keep", "good morning", None)


@pytest.mark.parametrize(
    ("model_name", "engine", "path"),
    [
        ("hypotheses.jsonl", "transcripts", True),
        ("a folder/hypotheses.jsonl", "transcripts", True),
        ("small.nemo", "nemo", True),
        (f"small.nemo@sha256:{'0' * 64}", "nemo", True),
        ("nvidia/parakeet-tdt_ctc-110m", "nemo", False),
        ("nvidia/parakeet-tdt_ctc-110m@main", "nemo", False),
        ("stt_en_fastconformer_ctc_large", "nemo", False),
    ],
)
def test_form_of_a_model_name_selects_its_engine(model_name, engine, path):
    assert engine_for(model_name).name == engine
    assert is_path(model_name) == path


@pytest.mark.parametrize("model_name", ["kaldi:large-v3", "huggingface:openai/whisper-large-v3", "no model"])
def test_unknown_model_name_is_refused_with_the_accepted_forms(model_name):
    with pytest.raises(CheckpointError, match=f"{model_name}: not the name of a model: expected a .jsonl file of"):
        engine_for(model_name)


def test_only_engines_in_use_report_versions(hears, demo_small):
    transcripts = resolve(hears(small={"a.wav": "good morning"})["small"])
    assert versions_for([transcripts]) == {}
    assert versions_for([transcripts, demo_small]).keys() == {"nemo_toolkit", "torch"}


def test_option_is_refused_only_if_no_model_of_the_run_supports_it(hears, demo_small):
    transcripts = resolve(hears(small={"a.wav": "good morning"})["small"])
    check_options(EngineOptions(timestamps=True), [transcripts, demo_small])
    with pytest.raises(
        OptionError, match=r"engine.timestamps requires a model that is run here; .*small.jsonl \(transcripts\)$"
    ):
        check_options(EngineOptions(timestamps=True), [transcripts])


def test_transcripts_cannot_be_pinned(hears):
    with pytest.raises(CheckpointError, match=r"small.jsonl@sha256:0{64}: a file of transcripts cannot be pinned"):
        resolve(f"{hears(small={})['small']}@sha256:{'0' * 64}")

"""The catalogue: names that exist, what the guide's names mean, and users' own files."""

import subprocess
import sys

import pytest

from cli.app import app, main
from tests.conftest import DEMO
from winnow.engines.registry import ENGINES, engine_for
from winnow.errors import CheckpointError, OptionError, UnknownModel
from winnow.models.catalog import open_catalog
from winnow.models.resolve import resolve

CATALOG = open_catalog()

GUIDE = {
    "stt_en_fastconformer_hybrid_large_pc": ("nvidia/stt_en_fastconformer_hybrid_large_pc", "this model exists"),
    "stt_en_fastconformer_hybrid_medium_pc": (
        "nvidia/parakeet-tdt_ctc-110m",
        "no medium model for whole utterances was ever",
    ),
    "stt_en_fastconformer_hybrid_small_pc": ("nvidia/parakeet-tdt_ctc-110m", "no small model was ever"),
    "stt_en_fastconformer_telephony_large": ("nvidia/parakeet-tdt-0.6b-v2", "no model for telephony was ever"),
    "stt_en_fastconformer_streaming_large": (
        "nvidia/stt_en_fastconformer_hybrid_large_streaming_multi",
        "this is the real name of the streaming model",
    ),
    "stt_en_fastconformer_noisy_large": ("nvidia/parakeet-tdt-0.6b-v2", "no model for noise was ever"),
    "stt_multilingual_fastconformer_hybrid_large_pc": (
        "stt_multilingual_fastconformer_hybrid_large_pc",
        "only on NGC, so its name has no nvidia/, and it supports 10 languages",
    ),
    "stt_es_fastconformer_hybrid_large_pc": ("nvidia/stt_es_fastconformer_hybrid_large_pc", "this model exists"),
    "stt_de_fastconformer_hybrid_large_pc": ("nvidia/stt_de_fastconformer_hybrid_large_pc", "this model exists"),
    "stt_fr_fastconformer_hybrid_large_pc": ("nvidia/stt_fr_fastconformer_hybrid_large_pc", "this model exists"),
    "stt_it_fastconformer_hybrid_large_pc": ("nvidia/stt_it_fastconformer_hybrid_large_pc", "this model exists"),
    "stt_hy_fastconformer_hybrid_large_pc": (
        "nvidia/stt_hy_fastconformer_hybrid_large_pc",
        "no newer NeMo model",
    ),
    "stt_zh_fastconformer_hybrid_large_pc": (
        "nvidia/nemotron-3.5-asr-streaming-0.6b",
        "no FastConformer for Chinese alone was ever",
    ),
    "stt_multilingual_fastconformer_streaming_large": (
        "nvidia/nemotron-3.5-asr-streaming-0.6b",
        "the multilingual model that streams",
    ),
}


def test_guide_has_fourteen_names():
    assert {f"nvidia/{name}" for name in GUIDE} == CATALOG.guide.keys()


@pytest.mark.parametrize("name", GUIDE)
def test_guide_name_stands_for_a_real_model_with_a_reason(name, capsys):
    checkpoint, why = GUIDE[name]
    assert CATALOG.get(f"nvidia/{name}").checkpoint == checkpoint
    assert CATALOG.get(name).checkpoint.rpartition("/")[2] == checkpoint.rpartition("/")[2]
    app(["models", "show", f"nvidia/{name}"], result_action="return_value")
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{checkpoint}: " in shown
    assert why in shown


@pytest.mark.parametrize("name", GUIDE)
def test_guide_name_that_never_existed_is_refused_with_the_nearest_model(name):
    """Names that exist are requested from the hub, which tests cannot reach."""
    meaning = CATALOG.guide[f"nvidia/{name}"]
    complaint = (
        "cannot be downloaded from the hub" if meaning.exists else f"no such model; the nearest is {GUIDE[name][0]}"
    )
    with pytest.raises(CheckpointError, match=complaint):
        resolve(f"nvidia/{name}", trust_unpinned=True)


def test_models_in_the_list_of_nemo_are_marked_as_listed():
    from nemo.collections.asr.models import ASRModel

    names = {model.pretrained_model_name for model in ASRModel.list_available_models()}
    assert {model.name for model in CATALOG.models if model.listed} == {model.name for model in CATALOG.models} & names
    on_ngc = [model.name for model in CATALOG.models if not {"/", ":"} & set(model.checkpoint)]
    assert set(on_ngc) <= names


def test_models_have_unique_names_and_known_families():
    names = [model.name for model in CATALOG.models]
    assert len(names) == len(set(names))
    families = {family for engine in ENGINES.values() for family in engine.families}
    assert {model.family for model in CATALOG.models if model.family} <= families
    other = {model.name: model.checkpoint for model in CATALOG.models if ":" in model.checkpoint}
    nemo = [model for model in CATALOG.models if model.name not in other]
    assert all(model.checkpoint in (model.name, f"nvidia/{model.name}") for model in nemo)
    for name, checkpoint in other.items():
        place = checkpoint.rpartition("/")[2].rpartition(":")[2].lower()
        assert name.removesuffix("-hf").endswith(place.removesuffix("-hf"))
        assert checkpoint.startswith(engine_for(checkpoint).prefix)
    assert all(protocol.source for protocol in CATALOG.protocols.values())


@pytest.mark.parametrize("pair", [pair for pair in CATALOG.pairs if pair.large], ids=lambda pair: pair.why)
def test_pair_is_a_fast_model_and_a_better_or_different_one(pair):
    small, large = CATALOG.names[pair.small], CATALOG.names[pair.large]
    assert small.family
    assert large.family
    assert large.parameters > small.parameters
    both = small.scores.keys() & large.scores.keys()
    better = any(large.scores[name].wer < small.scores[name].wer for name in both) or not both
    differ = small.family != large.family or small.family == "whisper"  # whose sizes are one family
    assert (better and differ) or small.decoder_type != large.decoder_type


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("parakeet-tdt-0.6b-v4", "parakeet-tdt-0.6b-v"), ("nvidia/canary-1b-v3", "nvidia/canary-1b-v2")],
)
def test_unknown_name_is_refused_with_the_nearest_name(name, nearest):
    with pytest.raises(UnknownModel, match=f"{name}: not in the catalogue; the nearest is {nearest}"):
        CATALOG.get(name)


def test_user_catalogue_precedes_the_built_in_one(tmp_path, monkeypatch):
    monkeypatch.setenv("WINNOW_CATALOG", str(DEMO / "catalog.yaml"))
    catalog = open_catalog()
    assert [model.name for model in catalog.models][:2] == ["demo-small", "demo-large"]
    assert catalog.pairs[0].small == "demo-small"
    sums = (DEMO / "SHA256SUMS").read_text()
    for model in catalog.models[:2]:
        assert f"{model.sha256}  {model.name.removeprefix('demo-')}.nemo\n" in sums
        assert resolve(model.run_name).family == model.family
    assert catalog.get("parakeet-tdt-0.6b-v3").licence == "CC-BY-4.0"


MODEL = "{name: m, checkpoint: m.nemo, decoder: CTC, languages: [en]}"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("models: [", "not a readable catalogue"),
        ("models: [{name: m}]", r"models\.0\.checkpoint: Field required"),
        ("modles: []", "modles: Extra inputs"),
        (f"models: [{MODEL}, {MODEL}]", "models: duplicate name m"),
        ("pairs: [{small: nobody, why: none}]", "pairs: unknown model nobody"),
        (
            "models: [{name: m, checkpoint: m.nemo, decoder: CTC, languages: [en], scores: {own: {wer: 0.1}}}]",
            "models: m: scores: unknown protocol own",
        ),
    ],
)
def test_invalid_catalogue_is_refused_with_the_place(content, complaint, tmp_path):
    (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(OptionError, match=f"{tmp_path / 'own.yaml'}: {complaint}"):
        open_catalog(tmp_path / "own.yaml")


def listed_models(capsys, *words):
    app(["models", *map(str, words)], result_action="return_value")
    return {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()}


def test_models_are_listed_by_language_licence_and_presence(capsys):
    german = listed_models(capsys, "--language", "de", "--permissive")
    assert {"parakeet-tdt-0.6b-v3", "stt_de_fastconformer_hybrid_large_pc"} <= german
    assert not {"canary-1b", "stt_es_fastconformer_hybrid_large_pc", "parakeet-tdt-0.6b-v2"} & german
    assert "canary-1b" in listed_models(capsys, "--language", "de")
    here = listed_models(capsys, "--offline", "--catalog", DEMO / "catalog.yaml")
    assert {"demo-small", "demo-large"} <= here
    assert "canary-1b" not in here


def test_listing_models_imports_nothing_heavy():
    heavy = "print({'prefect', 'torch', 'nemo', 'matplotlib'} & set(sys.modules))"
    code = f"import sys, cli.app; cli.app.app(['models'], result_action='return_value'); {heavy}"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "set()"


def test_selection_is_shown_with_its_reasons(capsys, manifest):
    corpus = manifest({"audio_filepath": "a.wav", "duration": 5e6, "lang": "de"}, tones=False)
    app(["models", "choose", str(corpus), "--memory", "24"], result_action="return_value")
    shown = " ".join(capsys.readouterr().out.split())
    for expected in (
        "--small nvidia/stt_de_fastconformer_hybrid_large_pc --large nvidia/parakeet-tdt-0.6b-v3",
        "reasons over 1,000 h of audio (1,389 h): fastest instead of balanced",
        "0.25 of a GPU",
        "batches: measured when the model is loaded (60% of the free memory, at most 1,200 padded seconds)",
        "the guide estimates 256 utterances",
        "precision: bf16",
    ):
        assert expected in shown


def test_impossible_selection_ends_with_exit_code_2(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["models", "choose"])
    assert "winnow: select.language: the language of the corpus is unknown" in capsys.readouterr().err

"""Model selection: a request, the pair that suits it, and the reasons."""

import math

import pytest

from tests.conftest import DEMO
from winnow.corpora.registry import open_source
from winnow.engines.whisper.engine import WhisperEngine
from winnow.errors import OptionError
from winnow.hardware import ELSEWHERE, Machine, parse_gpus, visible_ids
from winnow.models.auto_select import resolve_models
from winnow.models.catalog import open_catalog
from winnow.models.explain import resource_needs, selection_reasons
from winnow.models.selection import select_models
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.gate import Gate
from winnow.parameters.placement import Placement
from winnow.parameters.selection import Selection
from winnow.text.languages import match_language

CATALOG = open_catalog()
A100 = Machine("NVIDIA A100", gpu=True, memory=80, cores=16, main_memory=128, bf16=True)
SMALL_GPU = Machine("Tesla T4", gpu=True, memory=16, cores=2, main_memory=8, bf16=False)
LAPTOP = Machine("the CPU", gpu=False, memory=16, cores=4, main_memory=16)

TINY, SMALL, V2, V3 = (
    "stt_en_conformer_ctc_small",
    "parakeet-tdt_ctc-110m",
    "parakeet-tdt-0.6b-v2",
    "parakeet-tdt-0.6b-v3",
)
FLASH, CANARY = "canary-1b-flash", "canary-1b-v2"
TURBO, WHISPER, NEMOTRON = "whisper-large-v3-turbo", "whisper-large-v3", "nemotron-3.5-asr-streaming-0.6b"
GERMAN, ARMENIAN = "stt_de_fastconformer_hybrid_large_pc", "stt_hy_fastconformer_hybrid_large_pc"


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """What is installed: nothing but NeMo, whatever this environment has; tests add the extras that they want."""
    extras: set[str] = set()
    monkeypatch.setattr(WhisperEngine, "missing_extra", lambda _: None if "whisper" in extras else "winnow[whisper]")
    return extras


def names(selected):
    return tuple(model.name for model in selected.models.values())


@pytest.mark.parametrize(
    ("options", "pair", "reason"),
    [
        ({"language": "en"}, (SMALL, FLASH), "their decoders differ (TDT and AED)"),
        ({"language": "en", "quality": "highest"}, (V2, FLASH), "the best English model that the engine can load"),
        ({"language": "en", "quality": "fastest"}, (SMALL, V2), f"not {TINY} then {V2}: the licence of {TINY}"),
        (
            {"language": "en", "quality": "fastest", "use": "research"},
            (TINY, V2),
            "their decoders differ (CTC and TDT)",
        ),
        (
            {"language": "en", "hours": 1000.5},
            (SMALL, V2),
            "over 1,000 h of audio (1,000 h): fastest instead of balanced",
        ),
        ({"language": "en", "hours": 1000}, (SMALL, FLASH), "WER 7.49% and 6.35%"),
        ({"language": "en", "hours": 9999, "quality": "highest"}, (V2, FLASH), "second opinion"),
        ({"language": "EN-us", "domain": "telephony"}, (SMALL, V2), "no model here was made for 8 kHz"),
        ({"language": "en-US"}, (SMALL, FLASH), "published (open-asr-en)"),
        ({"language": "en", "domain": "noisy"}, (SMALL, V2), "no model here was made for noise"),
        ({"language": "en", "domain": "streaming"}, (SMALL, FLASH), "streaming models see only part of an utterance"),
        ({"language": "de"}, (V3, CANARY), "published (open-asr-ml): WER 4.81% and 4.60%"),
        ({"language": "de", "quality": "fastest"}, (GERMAN, V3), "a model for German alone"),
        ({"language": "de,fr,pl"}, (V3, CANARY), "both support 25 European languages"),
        ({"language": "de,fr", "quality": "fastest"}, (V3, CANARY), "both support 25 European languages"),
        ({"language": "en,de"}, (V3, CANARY), "both support 25 European languages"),
        ({"language": "hy"}, (ARMENIAN,), "no second model is known, so there is no cascade"),
    ],
)
def test_selection_returns_a_suitable_pair_with_the_reason(options, pair, reason):
    selected = select_models(Selection(**options), CATALOG, A100)
    assert names(selected) == pair
    assert reason in "\n".join(selection_reasons(selected))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "select.language: the language of the corpus is unknown"),
        (
            {"language": "xx"},
            r"no models in the catalogue for xx \(general, commercial use\): no pair supports all of that",
        ),
        ({"language": "de,hy"}, "or give each language its own models"),
        ({"language": "ka"}, "the licence of stt_ka_fastconformer_hybrid_large_pc is unknown"),
        ({"language": "hy", "memory": 0.5}, "weights take 0.5 GB, more than half of the 0.5 GB of NVIDIA A100"),
    ],
)
def test_selection_without_a_suitable_model_is_refused_with_the_reason(options, complaint):
    with pytest.raises(OptionError, match=complaint):
        select_models(Selection(**options), CATALOG, A100)


@pytest.mark.parametrize(
    ("options", "pair", "reason"),
    [
        ({"language": "hy"}, (ARMENIAN, WHISPER), "one of another family as a second opinion"),
        ({"language": "ka"}, (TURBO, WHISPER), "the licence of stt_ka_fastconformer_hybrid_large_pc is unknown"),
        ({"language": "ka", "use": "research"}, ("stt_ka_fastconformer_hybrid_large_pc", WHISPER), "(RNNT and AED)"),
        ({"language": "ko"}, (NEMOTRON, WHISPER), "NeMo's model of most languages"),
        ({"language": "sw"}, (TURBO, WHISPER), "both have AED decoders, so they may make the same errors"),
        ({"language": "sw", "memory": 9}, ("whisper-small", TURBO), "more than half of the 9.0 GB"),
        ({"language": "en"}, (SMALL, FLASH), "WER 7.49% and 6.35%"),
        ({"language": "de"}, (V3, CANARY), "WER 4.81% and 4.60%"),
    ],
)
def test_engines_are_paired_where_another_is_installed(options, pair, reason, installed):
    installed.add("whisper")
    selected = select_models(Selection(**options), CATALOG, A100)
    assert names(selected) == pair
    assert reason in "\n".join(selection_reasons(selected))


def test_extra_that_a_better_pair_needs_is_named():
    selected = select_models(Selection(language="hy"), CATALOG, A100)
    rejected, *_ = selection_reasons(selected)
    assert rejected == f"not {ARMENIAN} then {WHISPER}: {WHISPER} requires winnow[whisper], which is not installed"
    with pytest.raises(OptionError, match=r"no models in the catalogue for sw .*requires winnow\[whisper\]"):
        select_models(Selection(language="sw"), CATALOG, A100)


def test_pair_that_does_not_fit_into_memory_is_rejected():
    selected = select_models(Selection(language="en", memory=6), CATALOG, A100)
    assert names(selected) == (SMALL, V2)
    rejected, *others = selection_reasons(selected)
    assert rejected == (
        f"not {SMALL} then {FLASH}: their weights take 4.0 GB, more than half of the 6.0 GB of NVIDIA A100"
    )
    assert "no other pair is balanced" in others


@pytest.mark.parametrize(
    ("machine", "placements", "sentence"),
    [
        (A100, (Placement(share=0.25, cpus=1, memory=4), Placement(share=1, cpus=4, memory=16)), "64 utterances"),
        (
            SMALL_GPU,
            (Placement(share=0.25, cpus=0.5, memory=2), Placement(share=1, cpus=2, memory=8)),
            "reduced from the guide's 4 of the cores and 16 GB to what this machine has",
        ),
        (LAPTOP, (Placement(), Placement()), "no GPU: a shard takes all 4 cores"),
        (
            ELSEWHERE,
            (Placement(share=0.25, cpus=1, memory=4), Placement(share=1, cpus=4, memory=16)),
            "measured when the model is loaded",
        ),
    ],
)
def test_resources_of_a_shard_fit_the_machine(machine, placements, sentence):
    selected = select_models(Selection(language="en"), CATALOG, machine)
    assert tuple(selected.placements.values()) == placements
    assert sentence in "\n".join(resource_needs(selected))


def test_selection_without_a_cascade_gives_one_model():
    selected = select_models(Selection(language="en", memory=2), CATALOG, A100, cascade=False)
    assert names(selected) == (SMALL,)
    (reason,) = selection_reasons(selected)
    assert reason.startswith(f"{SMALL} (in a cascade, before {FLASH}): the fastest English model")


def test_fixed_model_is_paired_with_a_second_model():
    known = select_models(Selection(language="en"), CATALOG, A100, {"small": f"nvidia/{V2}@{'0' * 40}"})
    assert names(known) == (V2, FLASH)
    unknown = select_models(Selection(language="en"), CATALOG, A100, {"small": "mine.nemo"})
    assert names(unknown) == (FLASH,)
    assert selection_reasons(unknown) == [
        f"{FLASH}: selected to go with mine.nemo",
        "mine.nemo is not in the catalogue, so how it differs is unknown",
    ]


@pytest.mark.parametrize(
    ("language", "known", "expected"),
    [
        ("de", ["en", "de"], "de"),
        ("de-ch", ["en", "de"], "de"),
        ("pt-br", ["pt", "pt-BR"], "pt-BR"),
        ("pt", ["pt-BR"], None),
        (None, ["de"], None),
    ],
)
def test_language_matches_with_and_without_its_region(language, known, expected):
    assert match_language(language, known) == expected


def test_manifest_is_summarized_by_hours_and_languages(manifest):
    corpus = manifest(
        {"audio_filepath": "a.wav", "duration": 1800, "lang": "en"},
        {"audio_filepath": "b.wav", "duration": 3600, "lang": " DE_ch "},
        {"audio_filepath": "c.wav", "duration": "long", "lang": 7},
        {"audio_filepath": "d.wav", "duration": -5},
        b"{",
        b"",
        b"\xff",
        tones=False,
    )
    summary = open_source(corpus).summary()
    assert summary.hours == 1.5
    assert list(summary.languages.items()) == [("de-ch", 1.0), ("en", 0.5)]


def curation(manifest, **parameters):
    return Curation(manifest=manifest, output="out", small="auto", large="auto", **parameters)


def test_auto_becomes_checkpoints_and_logs_the_reasons(manifest, log_lines):
    corpus = manifest({"audio_filepath": "a.wav", "duration": 3.6e6 * 2, "lang": "en"}, tones=False)
    resolved = resolve_models(curation(corpus, select=Selection(domain="noisy", quality="highest")), A100)
    assert (resolved.small, resolved.large) == (f"nvidia/{V2}", f"nvidia/{FLASH}")
    assert (resolved.select, resolved.small_placement, resolved.engine.language) == (Selection(), Placement(), "en")
    assert any("selected for en: noisy: no model here was made for noise" in line for line in log_lines)


def test_prompt_has_the_selected_language_unless_rows_differ(manifest):
    silent = manifest({"audio_filepath": "a.wav"}, tones=False)
    assert resolve_models(curation(silent, select=Selection(language="de-CH")), A100).engine.language == "de"
    assert resolve_models(curation(silent, select=Selection(language="de,fr")), A100).engine.language is None
    mixed = manifest({"audio_filepath": "a.wav", "lang": "fr"}, tones=False)
    assert resolve_models(curation(mixed, select=Selection(language="de")), A100).engine.language is None


def test_placements_of_the_user_are_kept(manifest):
    corpus = manifest({"audio_filepath": "a.wav", "lang": "en"}, tones=False)
    resolved = resolve_models(curation(corpus, devices="local", large_placement=Placement(share=0.5)), A100)
    assert (resolved.small_placement, resolved.large_placement) == (
        Placement(share=0.25, cpus=1, memory=4),
        Placement(share=0.5),
    )


def test_each_language_gets_its_own_pair_and_other_languages_a_default_pair(manifest):
    rows = [{"audio_filepath": f"{tag}.wav", "duration": 60, "lang": tag} for tag in ("hy", "de", "fr")]
    routes = {"hy": {"small": "auto", "large": "auto"}}
    resolved = resolve_models(curation(manifest(*rows, tones=False), languages=routes), A100)
    assert (resolved.small, resolved.large) == (f"nvidia/{V3}", f"nvidia/{CANARY}")
    assert resolved.languages["hy"].model_dump() == {"small": f"nvidia/{ARMENIAN}", "large": None}


def test_licence_that_forbids_the_use_is_logged_before_the_run(manifest, log_lines):
    requested = Curation(manifest="corpus.jsonl", output="out", small="nvidia/canary-1b", large="nvidia/canary-1b-v2")
    assert resolve_models(requested) == requested
    assert log_lines == ["WARNING canary-1b: its licence, CC-BY-NC-4.0, forbids commercial use"]


def test_unknown_licence_is_logged_before_the_run(manifest, log_lines):
    corpus = manifest({"audio_filepath": "a.wav", "lang": "ka"}, tones=False)
    resolved = resolve_models(curation(corpus, select=Selection(use="research")), A100)
    assert (resolved.small, resolved.large) == ("nvidia/stt_ka_fastconformer_hybrid_large_pc", None)
    warnings = [line for line in log_lines if line.startswith("WARNING")]
    assert [line.partition(":")[2] for line in warnings] == [
        " its licence is unknown: read the model card before using the data"
    ]


@pytest.mark.parametrize(
    "others",
    [
        {"extra_models": ["c.nemo"]},
        {"languages": {"de": {"small": "a.nemo", "large": "b.nemo"}}},
        {"gate": Gate(preset="budget")},
    ],
)
def test_parameters_that_need_a_large_model_are_refused_without_one(manifest, others):
    corpus = manifest({"audio_filepath": "a.wav", "lang": "ka"}, tones=False)
    with pytest.raises(OptionError, match="auto selected no large model"):
        resolve_models(curation(corpus, select=Selection(use="research"), **others), A100)


def test_hours_of_a_language_are_summed_over_its_rows(manifest, log_lines):
    rows = [{"audio_filepath": f"{i}.wav", "duration": 2e6, "lang": tag} for i, tag in enumerate(["de", "de-AT", "en"])]
    routes = {"de": {"small": "auto", "large": "auto"}}
    resolved = resolve_models(curation(manifest(*rows, tones=False), languages=routes), A100)
    assert resolved.languages["de"].small == f"nvidia/{GERMAN}"
    assert "INFO selected for de: over 1,000 h of audio (1,111 h): fastest instead of balanced" in log_lines


def test_audio_limit_of_a_model_is_logged_before_the_run(log_lines):
    parameters = {"manifest": "c.jsonl", "output": "out", "small": "nvidia/parakeet-tdt_ctc-110m"}
    resolve_models(Curation(**parameters, engine=EngineOptions(max_seconds=1200)))
    assert not log_lines
    resolve_models(Curation(**parameters, engine=EngineOptions(max_seconds=1201)))
    assert log_lines == ["WARNING parakeet-tdt_ctc-110m: transcribes at most 1,200 s, and engine.max_seconds is 1,201"]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("parakeet-tdt-0.6b-v3", "nvidia/parakeet-tdt-0.6b-v3"),
        ("stt_en_fastconformer_ctc_large", "stt_en_fastconformer_ctc_large"),  # NeMo's own, from NGC
        ("nvidia/canary-1b-v2@main", "nvidia/canary-1b-v2@main"),
        ("my.nemo", "my.nemo"),
    ],
)
def test_names_of_the_catalogue_become_checkpoints(name, taken):
    assert resolve_models(Curation(manifest="c.jsonl", output="out", small=name)).small == taken


def test_names_of_a_user_catalogue_become_its_pinned_files():
    requested = Curation(manifest="c.jsonl", output="out", small="demo-small", catalog=DEMO / "catalog.yaml")
    sums = (DEMO / "SHA256SUMS").read_text().split()
    assert resolve_models(requested).small == f"{DEMO / 'small.nemo'}@sha256:{sums[sums.index('small.nemo') - 1]}"


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"small": "a.nemo", "select": {"language": "de"}}, "--select.language: not used, because no model is auto"),
        (
            {"small": "a.nemo", "languages": {"de": {"small": "b.nemo", "large": "c.nemo"}}},
            "--languages.de.large: needs --large, the model of all other languages",
        ),
        ({"small": "a.nemo", "languages": {"de": {"large": "c.nemo"}}}, "languages.de.small"),
        ({"small": "auto", "select": {"quality": "good"}}, "'fastest', 'balanced' or 'highest'"),
    ],
)
def test_contradictory_selection_or_route_is_refused(parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        Curation(manifest="c.jsonl", output="out", **parameters)


SMI = """0, GPU-aa, NVIDIA H100 80GB HBM3, 81559, 9.0
1, GPU-bb, Tesla T4, 15360, 7.5
2, GPU-cc, NVIDIA GB10, [N/A], 12.1
"""


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [
        (None, [("NVIDIA H100 80GB HBM3", 85.5, 9.0), ("Tesla T4", 16.1, 7.5), ("NVIDIA GB10", math.inf, 12.1)]),
        ("1", [("Tesla T4", 16.1, 7.5)]),
        ("GPU-aa", [("NVIDIA H100 80GB HBM3", 85.5, 9.0)]),
        ("", []),
    ],
)
def test_only_visible_gpus_are_counted(visible, gpus, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [
        (gpu.name, round(gpu.memory, 1) if gpu.memory < math.inf else gpu.memory, gpu.compute_capability)
        for gpu in parse_gpus(SMI, visible_ids())
    ] == gpus

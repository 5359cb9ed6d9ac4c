"""Passes with a model per language: each row is transcribed by the model of its language, and names it."""

import json

import pytest
import yaml

from demo.__main__ import pinned
from tests.conftest import DEMO, published_rows
from tests.in_process import curate
from winnow.engines.engine import Request
from winnow.engines.inference import Result, transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.errors import RunMismatch
from winnow.models.passes import Pass, make_passes, transcribe_by_language
from winnow.models.resolve import resolve
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.runs.run_record import load_settings
from winnow.text.hypothesis import Hypothesis


@pytest.fixture
def routed_pass(hears):
    """A pass with stand-ins for a German model, no model for Armenian, and a model for all other languages."""
    checkpoints = {name: resolve(path) for name, path in hears(rest={"a.wav": "one"}, german={"a.wav": "eins"}).items()}
    return Pass(
        role="large",
        checkpoint=checkpoints["rest"],
        languages={"de": checkpoints["german"], "hy": None},
        options=EngineOptions(),
    )


def test_row_has_the_checkpoint_of_its_language(routed_pass):
    rest, german = routed_pass.checkpoints
    expected = {"de": german, "de-at": german, "en": rest, None: rest, "hy": None}
    assert {language: routed_pass.checkpoint_for(language) for language in expected} == expected


def test_results_come_in_the_order_of_the_requests_with_the_usage_of_each_model(routed_pass):
    def recognise(checkpoint, options, requests):
        name = checkpoint.path.stem
        results = [Result(Hypothesis(f"{name} {request.path}")) for request in requests]
        return results, {"utterances": len(results), "seconds": 1.0, "device": name}

    spoken = ["de", None, "de-ch", "fr"]
    requests = [Request(f"{i}.wav", None, None, language=language) for i, language in enumerate(spoken)]
    results, usage = transcribe_by_language(routed_pass, recognise, requests)
    assert [result.hypothesis.text for result in results] == [
        "german 0.wav",
        "rest 1.wav",
        "german 2.wav",
        "rest 3.wav",
    ]
    assert (usage["utterances"], usage["seconds"]) == (4, 2.0)
    rest, german = (checkpoint.sha256 for checkpoint in routed_pass.checkpoints)
    assert {sha256: model["utterances"] for sha256, model in usage["models"].items()} == {rest: 2, german: 2}


@pytest.fixture
def corpus(manifest):
    spoken = {"a": "de", "b": "de-AT", "c": "en", "d": None, "e": "hy", "f": "hy"}
    rows = [{"audio_filepath": f"{name}.wav", "text": "one two three", "lang": tag} for name, tag in spoken.items()]
    return manifest(*rows, {"audio_filepath": "g.wav", "text": "one two three"})


@pytest.fixture
def models(hears):
    """Write the transcripts of each model; none has a transcript of any other file."""
    right, half, wrong = "one two three", "one two", "four five six seven eight"
    return hears(
        small={"c.wav": right, "d.wav": half, "g.wav": right},
        large={"d.wav": right},
        german={"a.wav": half, "b.wav": right},
        german_large={"a.wav": right},
        armenian={"e.wav": half, "f.wav": wrong},
    )


def routed_run(models):
    german = {"small": models["german"], "large": models["german_large"]}
    routes = {"de": german, "hy": {"small": models["armenian"]}}
    return {"small": models["small"], "large": models["large"], "languages": routes}


def test_extra_model_skips_languages_with_models_of_their_own(corpus, models, hears):
    third = hears(third={"d.wav": "one two four"})["third"]
    *_, last = make_passes(Curation(manifest=corpus, output="out", extra_models=[third], **routed_run(models)))
    assert {language: last.checkpoint_for(language) for language in ("de", "hy", "en", None)} == {
        **dict.fromkeys(("de", "hy")),
        **dict.fromkeys(("en", None), last.checkpoint),
    }
    assert list(last.skipped_languages) == ["de", "hy"]


def test_run_routes_each_row_by_its_language(corpus, models, tmp_path):
    run = tmp_path / "run"
    report = curate(manifest=corpus, output=run, shard_hours=2 / 3600, **routed_run(models))
    names = {path: name for name, path in models.items()} | {None: None}
    rows = [[names[row["small_model"]], names[row["large_model"]], row["decision"]] for row in published_rows(run)]
    assert rows == [
        ["german", "german_large", "keep"],
        ["german", None, "keep"],
        ["small", None, "keep"],
        ["small", "large", "keep"],
        ["armenian", None, "drop"],
        ["armenian", None, "drop"],
        ["small", None, "keep"],
    ]
    assert {
        (role, names[speed.checkpoint]): speed.utterances
        for role, by_role in report.speed.items()
        for speed in by_role.models
    } == {
        ("small", "small"): 3,
        ("small", "german"): 2,
        ("small", "armenian"): 2,
        ("large", "large"): 1,
        ("large", "german_large"): 1,
    }
    assert report.speed["small"].utterances == 7
    assert report.bands["escalate"].utterances == 2  # rows without a large model are not escalated
    shown = (run / "report.html").read_text()
    assert all(f"{name}.jsonl" in shown for name in models)

    assert curate(manifest=corpus, output=run, shard_hours=2 / 3600, **routed_run(models)) == report
    assert load_settings(run).languages["hy"].model_dump() == {"small": models["armenian"], "large": None}
    swapped = models | {"german": models["armenian"]}
    with pytest.raises(RunMismatch, match=r"sha256\.small for de was"):
        curate(manifest=corpus, output=run, shard_hours=2 / 3600, **routed_run(swapped))


@pytest.fixture(scope="module")
def two_languages(tmp_path_factory):
    """A catalogue with the demo's checkpoints as models of two languages, and a corpus with rows in both."""
    folder = tmp_path_factory.mktemp("languages")
    entry = {"decoder": "CTC", "licence": "own"}
    models = [
        entry | {"name": "english", "checkpoint": pinned("small").split("@")[0], "family": "ctc", "languages": ["en"]},
        entry
        | {"name": "german", "checkpoint": pinned("large").split("@")[0], "family": "hybrid", "languages": ["de"]},
    ]
    for model, role in zip(models, ("small", "large"), strict=True):
        model["sha256"] = pinned(role).split(":")[-1]
    pairs = [{"small": model["name"], "why": f"it was trained for {model['name']}"} for model in models]
    licences = {"own": {"terms": "is our own", "permissive": True}}
    (folder / "own.yaml").write_text(yaml.safe_dump({"models": models, "pairs": pairs, "licences": licences}))
    lines = (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{") and '"audio/0' in line][:24]
    for number, row in enumerate(rows):
        row["lang"] = "de" if number % 3 == 0 else "en"
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_two_real_checkpoints_transcribe_the_rows_of_their_languages(two_languages, tmp_path):
    """Every hypothesis is that of the checkpoint alone."""
    settings = {"manifest": two_languages / "corpus.jsonl", "relative_to": DEMO / "corpus", "shard_hours": 0.01}
    routes = {"de": {"small": "auto"}}
    run = tmp_path / "routed"
    report = curate(output=run, small="auto", languages=routes, catalog=two_languages / "own.yaml", **settings)
    rows = published_rows(run)
    for tag, role in (("en", "small"), ("de", "large")):
        own_rows = [row for row in rows if row["lang"] == tag]
        requests = [Request(str(DEMO / "corpus" / row["audio_filepath"]), None, row["duration"]) for row in own_rows]
        expected, _ = transcribe_requests(get_model(resolve(pinned(role)), EngineOptions()), requests, EngineOptions())
        assert [row["small_pred_text"] for row in own_rows] == [result.hypothesis.text for result in expected]
    assert {(row["lang"], row["small_model"]) for row in rows} == {
        ("en", str(DEMO / "small.nemo")),
        ("de", str(DEMO / "large.nemo")),
    }
    assert [(result.checkpoint, result.utterances) for result in report.speed["small"].models] == [
        (str(DEMO / "small.nemo"), 16),
        (str(DEMO / "large.nemo"), 8),
    ]
    recorded = load_settings(run)
    assert (recorded.small, recorded.catalog) == (pinned("small"), None)
    assert recorded.languages["de"].small == pinned("large")

"""Benchmarks: their tables, and what they report as changed since the previous one."""

import json
import re
from pathlib import Path

import pytest

from flows.benchmark import benchmark
from tests.ballast import BALLAST, peak_with_ballast
from tests.conftest import DEMO
from winnow.benchmarking.measurement import peak_of_process
from winnow.benchmarking.sample import draw_sample
from winnow.corpora.registry import open_source
from winnow.engines.engine import Checkpoint, Engine
from winnow.engines.isolation import run_in_child
from winnow.engines.registry import ENGINES
from winnow.errors import CheckpointError, ManifestError, MeasurementFailed, OutputError


@pytest.fixture
def corpus(manifest):
    rows = [{"audio_filepath": f"{n}.wav", "duration": 1.0, "text": f"good morning number {n}"} for n in range(12)]
    return manifest(*rows, {"audio_filepath": "x.wav", "text": " "}, b"nonsense")


@pytest.fixture
def models(hears):
    right = {f"{n}.wav": f"good morning number {n}" for n in range(12)}
    wrong = right | {"3.wav": "good night number 3"}
    return hears(right=right, wrong=wrong)


def test_each_model_is_measured_with_each_batch_size(corpus, models, tmp_path, prefect_server):
    figures = benchmark(manifest=corpus, models=list(models.values()), output=tmp_path / "out", batch_seconds=[2, 5])
    rows = [(row.batch, row.accuracy.wer.rate, row.accuracy.utterances, row.quarantined) for row in figures.rows]
    assert rows == [(2, 0.0, 12, {}), (5, 0.0, 12, {}), (2, 1 / 48, 12, {}), (5, 1 / 48, 12, {})]
    assert all(row.rtfx > 0 and row.utterances_per_second > 0 and row.peak_bytes > 2**20 for row in figures.rows)
    assert (figures.utterances, figures.unusable) == (12, {"EMPTY_REFERENCE": 1, "BAD_JSON": 1})

    text = (tmp_path / "out" / f"{figures.key}.md").read_text()
    assert "**12 utterances, 0.003 h**" in text
    assert "Lines without a usable reference: 1 EMPTY_REFERENCE, 1 BAD_JSON." in text
    assert "| wrong.jsonl | 2 s |  | 2.08% (0.00% to 6.25%) |" in text
    assert re.search(r"\| Model \| 2 s \| 5 s \|\n.*\n\| right.jsonl \| 0\.\d\d GiB \| 0\.\d\d GiB \|", text)
    assert "Changes since the previous benchmark" not in text
    assert json.loads((tmp_path / "out" / f"{figures.key}.json").read_text()) == json.loads(figures.model_dump_json())


def test_benchmark_with_the_same_key_reports_the_changes(corpus, models, tmp_path, prefect_server):
    options = {"manifest": corpus, "models": [models["wrong"]], "output": tmp_path}
    first = benchmark(**options)
    path = tmp_path / f"{first.key}.json"
    before = json.loads(path.read_text())
    before["rows"][0] |= {"rtfx": 2 * first.rows[0].rtfx, "peak_bytes": 2**30}
    before["rows"][0]["accuracy"]["wer"]["rate"] = 0.01
    before["versions"]["torch"] = "2.12.0"
    path.write_text(json.dumps(before))

    assert benchmark(**options).key == first.key
    text = path.with_suffix(".md").read_text()
    changes = text[text.index("## Changes since the previous benchmark") :]
    assert ", with torch 2.12.0." in changes
    assert "| wrong.jsonl | automatic | WER | 1.00% | 2.08% | +1.08 points |" in changes
    assert re.search(r"\| RTFx \| [\d,.]+ \| [\d,.]+ \| [-+]\d+\.\d% \|", changes)
    assert re.search(r"\| memory \| 1\.00 GiB \| 0\.\d\d GiB \| -\d\d\.\d% \|", changes)
    assert benchmark(**options, normalizer="none").key != first.key

    path.write_text('{"of": "another release"}')
    benchmark(**options)
    assert "Changes since the previous benchmark" not in path.with_suffix(".md").read_text()
    with pytest.raises(OutputError, match="/proc/figures: cannot be written to"):
        benchmark(**options | {"output": Path("/proc/figures")})


class UnloadableEngine(Engine):
    """Models that exist in this process only, so that the process that measures them cannot load them."""

    name, model_names = "unloadable", "toy:unloadable"

    def claims(self, model_name):
        return model_name == "toy:unloadable"

    def resolve(self, model_name, trust_unpinned=False):
        return Checkpoint(name=model_name, path=Path(), family="unloadable", sha256="0" * 64)

    def versions(self):
        return {}


def test_model_that_fails_does_not_stop_others_but_fails_the_benchmark(
    corpus, models, tmp_path, register, prefect_server
):
    register(ENGINES, UnloadableEngine(), name="unloadable")
    with pytest.raises(
        MeasurementFailed, match=r"1 of 2 were not measured: toy:unloadable \(toy:unloadable: not the name of a"
    ) as failure:
        benchmark(manifest=corpus, models=["toy:unloadable", models["right"]], output=tmp_path / "out")
    assert [row.failure is None for row in failure.value.figures.rows] == [False, True]
    (text,) = (path.read_text() for path in (tmp_path / "out").glob("*.md"))
    assert "not measured: " in text
    with pytest.raises(CheckpointError, match=r"no\.nemo: no such file"):
        benchmark(manifest=corpus, models=["no.nemo"], output=tmp_path / "out")


def test_sample_is_deterministic_and_has_the_requested_length(corpus, manifest, tmp_path):
    sample = draw_sample(open_source(corpus), 4 / 3600)
    assert sample == draw_sample(open_source(corpus), 4 / 3600)
    assert (len(sample.requests), sample.seconds) == (4, 4.0)
    assert [request.path for request in sample.requests] != [str(tmp_path / f"{n}.wav") for n in range(4)]
    assert [text[-1] for text in sample.references] == [request.path[-5] for request in sample.requests]
    assert len(draw_sample(open_source(corpus), None).requests) == 12
    with pytest.raises(ManifestError, match="no utterance with a reference"):
        draw_sample(open_source(manifest(b"nonsense")), None)


def test_peak_memory_of_a_child_excludes_its_parents():
    held = bytearray(BALLAST)
    idle, full = run_in_child(peak_of_process), run_in_child(peak_with_ballast)
    assert len(held) == BALLAST
    assert idle < BALLAST < full


@pytest.mark.soak
def test_command_measures_a_checkpoint_of_the_demo(run_command, tmp_path):
    """Beside a stand-in that makes no error."""
    lines = (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()[:12]
    rows = [row | {"audio_filepath": str(DEMO / "corpus" / row["audio_filepath"])} for row in map(json.loads, lines)]
    manifest, faultless = tmp_path / "some.jsonl", tmp_path / "faultless.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    faultless.write_text("\n".join(json.dumps(row | {"pred_text": row["text"]}) for row in rows))
    words = ["--models", DEMO / "small.nemo", faultless, "--batch-seconds", "10", "--hours", "0.02"]
    ended = run_command("benchmark", manifest, *words, "--output", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    (path,) = (tmp_path / "out").glob("*.json")
    figures = json.loads(path.read_text())
    small, other = figures["rows"]
    assert (small["batch"], small["batch_seconds"], small["failure"]) == (10, 10, None)
    assert small["accuracy"]["cer"]["rate"] > other["accuracy"]["cer"]["rate"] == 0
    assert small["load_seconds"] > 0
    assert small["peak_bytes"] > 200 * 2**20 > other["peak_bytes"]
    assert str(path.with_suffix(".md")) in ended.stdout

"""What is wrong with a run is found before a model is opened or a server is started."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEMO, ROOT
from winnow.digests import sha256_of
from winnow.errors import CheckpointError, OptionError, OutputError, RunMismatch
from winnow.parameters.curation import Curation
from winnow.parameters.maintenance import Benchmark, Refilter
from winnow.runs.run_record import make_record, read_run_record
from winnow.validation.before_start import check_benchmark, check_refilter, check_run

HEAVY = {"prefect", "torch", "nemo", "dask", "matplotlib"}

SCRIPT = f"""
import json, os, sys
import cli.benchmark, cli.download_models, cli.run
from cli.app import main
for name, words in json.load(sys.stdin).items():
    if not os.fork():
        os.dup2(os.open(f"{{name}}.err", os.O_CREAT | os.O_WRONLY), 2)
        try:
            main(words)
        except SystemExit as end:
            print(json.dumps([name, end.code, sorted({HEAVY} & set(sys.modules))]), flush=True)
        finally:
            os._exit(0)
    os.wait()
"""


@pytest.fixture
def corpus(manifest: Callable[..., Path]) -> Path:
    return manifest({"audio_filepath": "a.wav", "text": "hello there", "duration": 1.0})


@pytest.fixture
def other_run(corpus: Path, hears: Callable[..., dict[str, str]]) -> Path:
    return make_other_run(corpus, hears)


def make_other_run(corpus: Path, hears: Callable[..., dict[str, str]]) -> Path:
    """A folder with a run of another model over the same manifest."""
    run = corpus.parent / "other"
    (run / "_ledger").mkdir(parents=True)
    settings = Curation(manifest=corpus, output=str(run), small=hears(before={"a.wav": "hello"})["before"])
    record = make_record(run, settings, {"manifest": "0" * 64, "small": "1" * 64}, {})
    (run / "run.json").write_bytes(record.encode())
    (run / "_ledger" / ("0" * 32 + ".json")).write_text("{}")
    return run


WRONG = {
    "no manifest": ("curate none.jsonl --output out --small small.jsonl", 2, "none.jsonl: cannot read"),
    "a folder as the manifest": ("curate . --output out --small small.jsonl", 2, ": a folder"),
    "a name that is not UTF-8": ("curate c\udcff.jsonl --output out --small small.jsonl", 2, "not UTF-8: rename"),
    "no model": ("curate corpus.jsonl --output out --small none.nemo", 7, "none.nemo: no such file"),
    "no large model": ("curate corpus.jsonl --output out --small small.jsonl --large no.nemo", 7, "no.nemo: no such"),
    "a bad pin": ("curate corpus.jsonl --output out --small small.jsonl@sha256:12", 7, "invalid pin"),
    "no name of a model": ("curate corpus.jsonl --output out --small a/b/c", 7, "a/b/c: not the name of a model"),
    "an unpinned name": ("curate corpus.jsonl --output out --small nvidia/x", 7, "nvidia/x: not pinned"),
    "a foreign folder": ("curate corpus.jsonl --output . --small small.jsonl", 2, "not a run's folder, and not empty"),
    "another run": ("curate corpus.jsonl --output other --small small.jsonl", 8, "holds another run"),
    "a file as the output": ("curate corpus.jsonl --output a.wav --small small.jsonl", 2, "cannot be written to"),
    "no folder for the output": ("curate corpus.jsonl --output /proc/run --small small.jsonl", 2, "cannot be written"),
    "an unknown preset": ("curate corpus.jsonl --output out --small small.jsonl --filter.preset x", 2, "filter.preset"),
    "an unknown column": ("curate corpus.jsonl --output out --small small.jsonl --filter.rules mos>3", 2, "no mos"),
    "an unused option": ("curate corpus.jsonl --output out --small small.jsonl --gate.accept 0.1", 2, "add --large"),
    "no audio root": ("curate corpus.jsonl --output out --small small.jsonl --audio-root no", 2, "no such folder"),
    "no scheduler file": (
        "curate corpus.jsonl --output out --small small.jsonl --devices s.json",
        2,
        "s.json: no such",
    ),
    "a scheduler file without an address": (
        "curate corpus.jsonl --output out --small small.jsonl --devices small.json",
        2,
        "small.json: not a scheduler file",
    ),
    "no texts": ("curate untranscribed.jsonl --output out --small small.jsonl", 2, "give --references optional"),
    "an ensemble's model": ("ensemble corpus.jsonl --output out --models small.jsonl no.nemo", 7, "no.nemo: no such"),
    "a growing manifest": ("incremental none.jsonl --output out --small small.jsonl", 2, "none.jsonl: cannot read"),
    "a foreign root": ("incremental corpus.jsonl --output . --small small.jsonl", 2, "expected increments only"),
    "no run to refilter": ("refilter none --output out", 2, "not a run's folder"),
    "no run to resume": ("resume none", 2, "not a run's folder"),
    "a benchmark's model": ("benchmark corpus.jsonl --models no.nemo --output out", 7, "no.nemo: no such file"),
    "a benchmark's manifest": ("benchmark no.jsonl --models small.jsonl --output out", 2, "no.jsonl: cannot read"),
    "a model as the file for JSON": ("download-models small.nemo --json x.nemo", 2, "a model would be overwritten"),
}


@pytest.fixture
def outcomes(corpus: Path, hears: Callable[..., dict[str, str]]) -> dict[str, tuple[int, list[str], str]]:
    """Run every wrong command, each in its own fork of one process; return exit code, heavy imports and errors."""
    make_other_run(corpus, hears)
    hears(small={"a.wav": "hello there"})
    (corpus.parent / "untranscribed.jsonl").write_text('{"audio_filepath": "a.wav"}\n')
    (corpus.parent / "x.nemo").touch()
    (corpus.parent / "small.json").write_text("{}")
    process = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT],
        input=json.dumps({name: words.split() for name, (words, _, _) in WRONG.items()}),
        cwd=corpus.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    ended = map(json.loads, process.stdout.splitlines())
    return {name: (code, heavy, (corpus.parent / f"{name}.err").read_text()) for name, code, heavy in ended}


def test_command_refuses_in_one_line_before_it_imports_anything_heavy(corpus: Path, outcomes: dict[str, Any]):
    assert outcomes.keys() == WRONG.keys()
    for name, (_, exit_code, error) in WRONG.items():
        code, heavy, errors = outcomes[name]
        assert (code, heavy) == (exit_code, []), f"{name}: {errors}"
        (line,) = errors.splitlines()
        assert line.startswith("winnow: "), name
        assert error in line, name
    assert not (corpus.parent / "out").exists()


def test_run_that_could_start_passes_and_nothing_is_written(corpus: Path, hears: Callable[..., Any]):
    models = hears(small={"a.wav": "hello there"})
    check_run(Curation(manifest=corpus, output=str(corpus.parent / "out"), **models))
    assert not (corpus.parent / "out").exists()


def test_run_whose_audio_is_gone_can_be_resumed(corpus: Path, other_run: Path):
    """What was transcribed is not read again; the folder of another model is refused all the same."""
    record = read_run_record(other_run)
    settings = Curation.model_validate(record.parameters)
    record = record.model_copy(update={"sha256": record.sha256 | {"manifest": sha256_of(corpus)}})
    (other_run / "run.json").write_bytes(record.encode())
    (corpus.parent / "a.wav").unlink()
    check_run(settings)
    shutil.copy(settings.small, corpus.parent / "copy.jsonl")
    with pytest.raises(RunMismatch, match=r"sha256\.small was 1111"):
        check_run(settings.model_copy(update={"small": str(corpus.parent / "copy.jsonl")}))


def test_refiltered_run_needs_a_complete_run_and_a_folder_of_its_own(other_run: Path):
    with pytest.raises(OutputError, match="not a complete run"):
        check_refilter(Refilter(run=str(other_run), output=str(other_run.parent / "out")))


def test_benchmark_needs_a_folder_and_models(corpus: Path):
    small = str(DEMO / "small.nemo")
    check_benchmark(Benchmark(manifest=corpus, models=[small], output=corpus.parent / "out"))
    with pytest.raises(OutputError, match="cannot be written to"):
        check_benchmark(Benchmark(manifest=corpus, models=[small], output=corpus))
    with pytest.raises(CheckpointError, match="no such file"):
        check_benchmark(Benchmark(manifest=corpus, models=[f"{small}.nemo"], output=corpus.parent / "out"))
    with pytest.raises(OptionError, match="--relative-to none: no such folder"):
        check_benchmark(
            Benchmark(manifest=corpus, models=[small], output=corpus.parent / "out", relative_to=Path("none"))
        )

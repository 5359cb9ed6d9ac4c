"""The output folder of a run: its record, its lock, its files, and what `winnow verify` finds in them."""

import csv
import json
import subprocess
import sys

import pyarrow as pa
import pytest

from tests.in_process import curate
from winnow.corpora.registry import open_source
from winnow.errors import OutputError, OutputInUse, RunMismatch
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.filter import Filter
from winnow.runs import ledger
from winnow.runs.outputs import FILES, FileForm, kept
from winnow.runs.run_dir import mark_complete, open_run
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import store_table
from winnow.runs.verify import verify_run


def open_and_close(settings, digests):
    with open_run(settings, digests) as run:
        return run


@pytest.fixture
def settings(tmp_path):
    return Curation(manifest=tmp_path / "corpus.jsonl", output=tmp_path / "run", small="small.nemo")


KEY, OTHER = "0" * 32, "1" * 32

COUNTS = {"lines": 1, "blank": 0, "kept": 1, "dropped": 0, "quarantined": 0}

DIGESTS = {"manifest": "00", "small": "aa", "large": None}


def test_output_belongs_to_one_set_of_parameters(settings, tmp_path):
    run = open_and_close(settings, DIGESTS)
    ledger.commit(run, KEY, [])
    assert open_and_close(settings, DIGESTS) == run == tmp_path / "run"

    stricter = settings.model_copy(update={"filter": Filter(max_wer=0.1)})
    with pytest.raises(RunMismatch, match=r"parameters.filter.max_wer was None, now 0.1"):
        open_and_close(stricter, DIGESTS)
    with pytest.raises(RunMismatch, match=r"sha256.manifest was 00, now 11"):
        open_and_close(settings, DIGESTS | {"manifest": "11"})


def test_run_may_resume_with_other_paths_and_batch_sizes(settings):
    ledger.commit(open_and_close(settings, DIGESTS), KEY, [])
    other = {"small": "elsewhere/small.nemo", "trust_unpinned": True, "engine": EngineOptions(batch_seconds=10)}
    other["filter"] = Filter(phrases="elsewhere/phrases.txt")
    moved = settings.model_copy(update=other)
    open_and_close(moved, DIGESTS)


def test_checkpoint_names_are_recorded_as_absolute_paths_and_may_change(settings, tmp_path, monkeypatch):
    (tmp_path / "a.nemo").touch()
    monkeypatch.chdir(tmp_path)
    names = {"small": "a.nemo", "large": "owner/b", "extra_models": ["a.nemo@sha256:00", "owner/c"]}
    routes = {"de": {"small": "a.nemo", "large": "owner/d"}, "hy": {"small": "owner/e"}}
    named = settings.model_validate(settings.model_dump() | names | {"languages": routes})
    run = open_and_close(named, DIGESTS)
    ledger.commit(run, KEY, [])
    here = str(tmp_path / "a.nemo")
    loaded = load_settings(run)
    assert (loaded.small, loaded.large, loaded.extra_models) == (here, "owner/b", [f"{here}@sha256:00", "owner/c"])
    assert [route.model_dump() for route in loaded.languages.values()] == [
        {"small": here, "large": "owner/d"},
        {"small": "owner/e", "large": None},
    ]
    moved = {"extra_models": ["elsewhere.nemo"], "languages": {"de": {"small": "elsewhere.nemo"}}}
    open_and_close(named.model_validate(named.model_dump() | moved), DIGESTS)


@pytest.mark.parametrize("kind", [Curation, Ensemble, EngineOptions, Filter])
def test_parameters_that_are_not_compared_or_are_paths_exist(kind):
    assert set(kind.model_fields) >= kind.NOT_COMPARED | kind.PATHS


def test_output_without_results_accepts_other_parameters(settings):
    open_and_close(settings, DIGESTS)
    open_and_close(settings, DIGESTS | {"manifest": "11"})


def test_folder_with_other_files_is_refused_as_output(settings, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.jsonl").write_text("{}")
    with pytest.raises(OutputError, match=r"run: not a run's folder, and not empty"):
        open_and_close(settings, DIGESTS)
    assert (tmp_path / "run" / "manifest.jsonl").read_text() == "{}"
    with pytest.raises(OutputError, match=r"cannot be written to \(Not a directory"):
        open_and_close(settings.model_copy(update={"output": tmp_path / "run" / "manifest.jsonl" / "x"}), DIGESTS)


def test_output_that_another_run_uses_is_refused(settings):
    with open_run(settings, DIGESTS, {"name": "the first"}) as run:
        with (
            pytest.raises(OutputInUse, match=r"is in use by the first \(process \d+ on "),
            open_run(settings, DIGESTS),
        ):
            pass
        assert not (run / ".tmp-probe").exists()
    open_and_close(settings, DIGESTS)


def test_lock_of_a_dead_process_is_released_and_names_its_owner(settings):
    code = (
        "import os, signal, sys\n"
        "from winnow.parameters.curation import Curation\n"
        "from winnow.runs.run_dir import open_run\n"
        "settings = Curation.model_validate_json(sys.argv[1])\n"
        "with open_run(settings, {}, {'name': 'the dead'}): os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run([sys.executable, "-c", code, settings.model_dump_json()])
    assert process.returncode == -9
    dead = []
    with open_run(settings, DIGESTS, on_dead_owner=dead.append):
        pass
    assert [owner["name"] for owner in dead] == ["the dead"]
    with open_run(settings, DIGESTS, on_dead_owner=dead.append):
        pass
    assert len(dead) == 1


def test_settings_of_a_run_can_be_loaded(settings, tmp_path):
    loaded = settings.model_copy(update={"filter": Filter(max_wer=0.1)})
    run = open_and_close(loaded, DIGESTS)
    assert load_settings(run) == loaded
    with pytest.raises(OutputError, match=r"not a run's folder: run\.json is missing"):
        load_settings(tmp_path / "nowhere")


def test_complete_run_has_no_files_without_a_record(settings):
    with open_run(settings, DIGESTS) as run:
        recorded, orphan = (store_table(run / "data", name, pa.table({"id": [1]})) for name in ("00000", "00001"))
        ledger.commit(run, KEY, [recorded], stage="publish")
        assert not (run / "_SUCCESS.json").exists()
        mark_complete(run, {recorded}, COUNTS)
    assert recorded.exists()
    assert not orphan.exists()
    success = json.loads((run / "_SUCCESS.json").read_text())
    assert success["sha256"].keys() == {"run.json", "report.json", "report.html", "manifest.jsonl"}
    assert {name: success[name] for name in COUNTS} == COUNTS
    open_and_close(settings, DIGESTS)
    assert not (run / "_SUCCESS.json").exists()  # until it ends again


def test_outdated_published_files_are_removed(settings):
    """A repeated pass may differ in its last bit, and then every later file has another name."""
    with open_run(settings, DIGESTS) as run:
        before, now = (store_table(run / "data", "00000", pa.table({"id": [1], "x": [n]})) for n in (1, 2))
        for key, file in ((KEY, before), (OTHER, now)):
            ledger.commit(run, key, [file], stage="publish")
        mark_complete(run, {now}, COUNTS)
    assert list((run / "data").iterdir()) == [now]
    assert set(ledger.read_records(run)) == {OTHER}
    assert [path.name.split("-")[0] for path in (run / "_ledger" / "aside").iterdir()] == [KEY]


def test_altered_manifest_and_malformed_record_are_found(settings):
    with open_run(settings, DIGESTS) as run:
        (run / "manifest.jsonl").write_text('{"id": 1, "text": "good"}\n')
        mark_complete(run, set(), COUNTS)
    assert [check.holds for check in verify_run(run) if "manifest.jsonl has" in check.sentence] == [
        False
    ]  # no such row
    ledger.commit(run, KEY, [])
    ledger.record_path(run, KEY).write_text("{")
    assert f"1 records in {run / '_ledger'} are damaged: {KEY}" in broken_promises(run)


def broken_promises(run):
    return [check.sentence for check in verify_run(run) if not check.holds]


def kept_csv(shards, fields):
    yield b"id,text\n"
    for shard in shards:
        for row in kept(shard).to_pylist():
            yield f'{row["id"]},"{row["text"]}"\n'.encode()


def csv_ids(path):
    with path.open() as file:
        return [int(row["id"]) for row in csv.DictReader(file)]


def test_registered_output_is_written_recorded_and_verified(manifest, hears, tmp_path, register):
    register(FILES, FileForm(kept_csv, csv_ids), name="kept.csv")
    corpus = manifest(*({"audio_filepath": f"{name}.wav", "text": "good morning"} for name in "abc"))
    models = hears(small={"a.wav": "good morning", "b.wav": "good night", "c.wav": "good morning"})
    curate(manifest=corpus, output=tmp_path / "run", shard_hours=1e-9, **models)
    path = tmp_path / "run" / "kept.csv"
    assert path.read_text() == 'id,text\n1,"good morning"\n3,"good morning"\n'
    checks = {check.sentence: check.holds for check in verify_run(tmp_path / "run")}
    assert checks["kept.csv has the 2 kept rows, and is unchanged"]
    assert all(checks.values())
    path.write_text('id,text\n1,"good evening"\n3,"good morning"\n')
    failed = [check.sentence for check in verify_run(tmp_path / "run") if not check.holds]
    assert failed == ["kept.csv has the 2 kept rows, and is unchanged"]


def test_published_manifest_is_a_source(manifest, hears, tmp_path):
    corpus = manifest({"audio_filepath": "a.wav", "text": "good morning", "speaker": 7})
    curate(manifest=corpus, output=tmp_path / "run", **hears(small={"a.wav": "good morning"}))
    (row,) = open_source(tmp_path / "run" / "manifest.jsonl").scan()
    assert (row["path"], row["text"], row["reason"]) == (str(tmp_path / "a.wav"), "good morning", None)
    assert '"speaker":7' in row["fields"]

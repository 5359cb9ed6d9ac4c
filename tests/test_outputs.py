"""The registry of output forms: a new one is one function and one line."""

import csv

import pytest

from flows.curate import curate
from winnow.corpora.registry import open_source
from winnow.runs.outputs import FILES, FileForm, kept
from winnow.runs.verify import verify_run


def kept_csv(shards, fields):
    yield b"id,text\n"
    for shard in shards:
        for row in kept(shard).to_pylist():
            yield f'{row["id"]},"{row["text"]}"\n'.encode()


def csv_ids(path):
    with path.open() as file:
        return [int(row["id"]) for row in csv.DictReader(file)]


@pytest.mark.usefixtures("prefect_server")
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


@pytest.mark.usefixtures("prefect_server")
def test_published_manifest_is_a_source(manifest, hears, tmp_path):
    corpus = manifest({"audio_filepath": "a.wav", "text": "good morning", "speaker": 7})
    curate(manifest=corpus, output=tmp_path / "run", **hears(small={"a.wav": "good morning"}))
    (row,) = open_source(tmp_path / "run" / "manifest.jsonl").scan()
    assert (row["path"], row["text"], row["reason"]) == (str(tmp_path / "a.wav"), "good morning", None)
    assert '"speaker":7' in row["fields"]

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks import ledger
from tasks.config import Curation, Engine, Filter


@pytest.fixture
def shard(tmp_path):
    return ledger.store(tmp_path / "shards", "00007", pa.table({"id": [1, 2]}))


def counted(calls):
    def double(table, times=2):
        calls.append(times)
        return pa.table({"id": [n * times for n in table["id"].to_pylist()]})

    return double


def test_a_stage_runs_once_for_a_shard_and_its_settings(shard):
    calls = []
    first = ledger.advance(shard, "doubled", counted(calls), times=2)
    again = ledger.advance(shard, "doubled", counted(calls), times=2)
    other = ledger.advance(shard, "doubled", counted(calls), times=3)
    assert calls == [2, 3]
    assert first == again != other
    assert pq.read_table(first)["id"].to_pylist() == [2, 4]
    assert first.name.startswith("00007-")


def test_settings_count_by_value(shard):
    assert ledger.key_of("judged", Filter(max_wer=0.1)) == ledger.key_of("judged", Filter(max_wer=0.1))
    assert ledger.key_of("judged", Filter(max_wer=0.1)) != ledger.key_of("judged", Filter(max_wer=0.2))


def test_a_stage_that_fails_leaves_nothing_behind(shard, tmp_path):
    def fail(table):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        ledger.advance(shard, "failed", fail)
    assert not (tmp_path / "failed").exists()
    assert not (tmp_path / "_ledger").exists()


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path):
    path = ledger.write_text(tmp_path / "report.json", "old")

    def broken_off():
        with ledger.replacing(path) as file:
            file.write(b"new")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        broken_off()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_gone_is_made_again(shard):
    calls = []
    first = ledger.advance(shard, "doubled", counted(calls))
    first.unlink()
    assert ledger.advance(shard, "doubled", counted(calls)) == first
    assert first.exists()
    assert calls == [2, 2]


def test_of_two_attempts_the_first_record_counts(tmp_path):
    one, other = (ledger.store(tmp_path / "data", "00000", pa.table({"id": [n]})) for n in (1, 2))
    assert ledger.record(tmp_path, "key", [one], attempt=1)["attempt"] == 1
    assert ledger.record(tmp_path, "key", [other], attempt=2)["attempt"] == 1
    assert ledger.records(tmp_path).keys() == {one}


def test_files_can_be_read_by_whoever_the_umask_lets(tmp_path):
    before = os.umask(0o022)
    try:
        path = ledger.write_text(tmp_path / "report.json", "{}")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.fixture
def settings(tmp_path):
    return Curation(manifest=tmp_path / "corpus.jsonl", output=tmp_path / "run", small="small.nemo")


DIGESTS = {"manifest": "00", "small": "aa", "large": None}


def test_an_output_belongs_to_one_set_of_parameters(settings, shard, tmp_path):
    run = ledger.open_run(settings, DIGESTS)
    ledger.record(run, "key", [])
    assert ledger.open_run(settings, DIGESTS) == run == tmp_path / "run"

    stricter = settings.model_copy(update={"filter": Filter(max_wer=0.1)})
    with pytest.raises(ledger.OtherRun, match=r"parameters.filter.max_wer was 0.25, now 0.1"):
        ledger.open_run(stricter, DIGESTS)
    with pytest.raises(ledger.OtherRun, match=r"sha256.manifest was 00, now 11"):
        ledger.open_run(settings, DIGESTS | {"manifest": "11"})


def test_where_and_in_what_batches_a_run_goes_on_is_free(settings):
    ledger.record(ledger.open_run(settings, DIGESTS), "key", [])
    moved = settings.model_copy(update={"small": "elsewhere/small.nemo", "engine": Engine(batch_seconds=10)})
    ledger.open_run(moved, DIGESTS)


def test_a_run_that_did_nothing_binds_nobody(settings):
    ledger.open_run(settings, DIGESTS)
    ledger.open_run(settings, DIGESTS | {"manifest": "11"})


def test_a_folder_with_other_files_is_no_output(settings, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.jsonl").write_text("{}")
    with pytest.raises(ledger.BadOutput, match=r"run: not a run's folder, and not empty"):
        ledger.open_run(settings, DIGESTS)
    assert (tmp_path / "run" / "manifest.jsonl").read_text() == "{}"
    with pytest.raises(ledger.BadOutput, match=r"cannot be made the output \(Not a directory"):
        ledger.open_run(settings.model_copy(update={"output": tmp_path / "run" / "manifest.jsonl" / "x"}), DIGESTS)

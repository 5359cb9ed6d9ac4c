import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks import ledger
from tasks.checkpoint import Checkpoint
from tasks.config import Curation, Filter


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


def test_an_output_belongs_to_one_set_of_parameters(tmp_path):
    small = Checkpoint(name="small.nemo", path=tmp_path / "small.nemo", sha256="aa")
    settings = Curation(manifest=tmp_path / "corpus.jsonl", output=tmp_path / "run", small="small.nemo")
    run = ledger.open_run(settings, small, None)
    assert ledger.open_run(settings, small, None) == run == tmp_path / "run"
    assert json.loads((run / "run.json").read_text())["sha256"] == {"small": "aa", "large": None}

    stricter = settings.model_copy(update={"filter": Filter(max_wer=0.1)})
    with pytest.raises(ledger.OtherRun, match=r"parameters.filter.max_wer was 0.25, now 0.1"):
        ledger.open_run(stricter, small, None)
    with pytest.raises(ledger.OtherRun, match=r"sha256.small was aa, now bb"):
        ledger.open_run(settings, Checkpoint(name="small.nemo", path=small.path, sha256="bb"), None)

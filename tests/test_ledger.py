import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winnow.parameters.filter import Filter
from winnow.runs import ledger


@pytest.fixture
def shard(tmp_path):
    return ledger.store_table(tmp_path / ledger.STAGES / "load", "00007", pa.table({"id": [1, 2]}))


def doubling_stage(calls):
    def double(table, times=2):
        calls.append(times)
        return pa.table({"id": [n * times for n in table["id"].to_pylist()]})

    return double


def test_stage_runs_once_for_a_shard_and_its_settings(shard):
    calls = []
    first = ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls), times=2)
    again = ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls), times=2)
    other = ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls), times=3)
    assert calls == [2, 3]
    assert first == again != other
    assert pq.read_table(first)["id"].to_pylist() == [2, 4]
    assert first.name.startswith("00007-")


def test_keys_compare_settings_by_value(shard):
    assert ledger.key_of("filter", Filter(max_wer=0.1)) == ledger.key_of("filter", Filter(max_wer=0.1))
    assert ledger.key_of("filter", Filter(max_wer=0.1)) != ledger.key_of("filter", Filter(max_wer=0.2))


def test_failed_stage_leaves_no_files(shard, tmp_path):
    def fail(table):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        ledger.run_stage_on_shard(shard, "failed", fail)
    assert not (tmp_path / ledger.STAGES / "failed").exists()
    assert not (tmp_path / "_ledger").exists()


def test_missing_file_is_written_again(shard):
    calls = []
    first = ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    first.unlink()
    assert ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls)) == first
    assert first.exists()
    assert calls == [2, 2]


def test_altered_file_is_written_again_and_its_record_moved_aside(shard, tmp_path):
    calls = []
    first = ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    good = first.read_bytes()
    first.write_bytes(good[:-1] + b"?")
    (record,) = (tmp_path / "_ledger").glob("*.json")
    before = record.read_bytes()
    assert ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls)).read_bytes() == good
    assert calls == [2, 2]
    (aside,) = (tmp_path / "_ledger" / "aside").iterdir()
    assert aside.read_bytes() == record.read_bytes() == before or aside.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": 7}', b"\xff"])
def test_malformed_record_is_ignored(shard, tmp_path, content):
    calls = []
    ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    (record,) = (tmp_path / "_ledger").glob("*.json")
    record.write_bytes(content)
    ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    assert calls == [2, 2]


def test_first_of_two_records_counts(tmp_path):
    first, second = (ledger.store_table(tmp_path / "data", "00000", pa.table({"id": [n]})) for n in (1, 2))
    assert ledger.commit(tmp_path, "key", [first], attempt=1)["attempt"] == 1
    assert ledger.commit(tmp_path, "key", [second], attempt=2)["attempt"] == 1
    assert ledger.records_by_file(tmp_path).keys() == {first}

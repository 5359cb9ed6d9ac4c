import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winnow.parameters.filter import Filter
from winnow.runs import ledger
from winnow.runs.records import decode_record, encode_record
from winnow.runs.shard_files import store_table

KEY, OTHER = "0" * 32, "1" * 32


@pytest.fixture
def shard(tmp_path):
    return store_table(tmp_path / ledger.STAGES / "load", "00007", pa.table({"id": [1, 2]}))


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

    with pytest.raises(RuntimeError) as failure:
        ledger.run_stage_on_shard(shard, "failed", fail)
    assert failure.value.__notes__ == [f"in failed, shard 00007 of {tmp_path}"]
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


def as_folder(path):
    path.unlink()
    path.mkdir()


def as_dangling_link(path):
    path.unlink()
    path.symlink_to("nowhere")


def with_other_seconds(path):
    path.write_bytes(path.read_bytes().replace(b'"rows": 2', b'"rows": 3'))


DAMAGES = {
    "empty": b"",
    "cut off": b"{",
    "a list": b"[]",
    "a number for the files": b'{"files": 7}',
    "not UTF-8": b"\xff",
    "nested deeply": b"[" * 100_000,
    "half of a surrogate pair": b'{"files": {"\\ud800": ""}}',
    "without a hash": b'{"files": {}, "stage": "doubled"}',
    "a folder": as_folder,
    "a dangling link": as_dangling_link,
    "another number of rows": with_other_seconds,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_record_that_is_not_intact_is_put_aside_and_the_work_done_again(shard, tmp_path, damage):
    calls = []
    ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    (record,) = ledger.record_files(tmp_path)
    if callable(damage):
        damage(record)
    else:
        record.write_bytes(damage)
    assert ledger.read_records(tmp_path) == {}
    ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    assert calls == [2, 2]
    assert ledger.read_records(tmp_path).keys() == {record.stem}
    assert len([*(tmp_path / "_ledger" / "aside").iterdir()]) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_record_without_permission_is_put_aside(shard, tmp_path):
    calls = []
    ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    (record,) = ledger.record_files(tmp_path)
    record.chmod(0)
    assert ledger.read_records(tmp_path) == {}
    ledger.run_stage_on_shard(shard, "doubled", doubling_stage(calls))
    assert calls == [2, 2]


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_record_with_any_other_byte_is_not_intact(at):
    record = {"files": {"data/00000-a.parquet": "00"}, "stage": "publish", "facts": {"seconds": 0.25, "kinds": ["id"]}}
    content = encode_record(KEY, record)
    assert decode_record(KEY, content) == record
    at %= len(content)
    assert decode_record(KEY, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]) is None
    assert decode_record(KEY, content[:at] + content[at + 1 :]) is None
    assert decode_record(KEY, content[:at] + b" " + content[at:]) is None


def test_record_counts_only_under_its_own_key(tmp_path):
    ledger.commit(tmp_path, KEY, [])
    ledger.record_path(tmp_path, KEY).rename(ledger.record_path(tmp_path, OTHER))
    assert ledger.find_record(tmp_path, OTHER) is None


def test_first_of_two_records_counts(tmp_path):
    first, second = (store_table(tmp_path / "data", "00000", pa.table({"id": [n]})) for n in (1, 2))
    assert ledger.commit(tmp_path, KEY, [first], attempt=1)["attempt"] == 1
    assert ledger.commit(tmp_path, KEY, [second], attempt=2)["attempt"] == 1
    assert ledger.records_by_file(tmp_path).keys() == {first}

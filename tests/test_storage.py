"""Files appear whole or not at all."""

import os
import resource
import subprocess
import sys

import pytest

from winnow.errors import OutputError
from winnow.runs.storage import location, put, put_if_absent, write_atomically


def test_failed_write_leaves_the_old_file(tmp_path):
    path = put(tmp_path / "report.json", b"old")

    def interrupted_write():
        with write_atomically(path) as file:
            file.write(b"new")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        interrupted_write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_put_if_absent_keeps_the_first_file(tmp_path):
    path = tmp_path / "a.json"
    assert put_if_absent(path, b"first")
    assert not put_if_absent(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_files_have_the_mode_that_the_umask_gives(tmp_path):
    before = os.umask(0o022)
    try:
        path = put(tmp_path / "report.json", b"{}")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_full_disk_is_reported_and_leaves_no_files(tmp_path):
    """A limit on the size of files stands in for a full disk: the system refuses a write in the middle of a file."""
    code = (
        "import resource, signal, sys; from winnow.runs.storage import location, put\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: put(location(sys.argv[1]) / 'a.parquet', bytes(10_000))\n"
        "except Exception as error: print(error.exit_code, error)"
    )
    process = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert process.stdout == f"5 {tmp_path}: File too large: make room, then run the same command again\n"
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096  # not ours


def test_file_that_exists_is_not_replaced_unless_asked_for(tmp_path):
    path = put(tmp_path / "0001.jsonl", b"first")

    def write_another():
        with write_atomically(path, replace=False) as file:
            file.write(b"second")

    with pytest.raises(FileExistsError):
        write_another()
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_in_the_place_of_a_file_and_file_in_the_place_of_a_folder_are_named(tmp_path):
    (tmp_path / "report.json").mkdir()
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(OutputError, match=r"report\.json: a folder, where a file belongs: move it elsewhere"):
        put(tmp_path / "report.json", b"{}")
    for path in (tmp_path / "data" / "a", tmp_path / "data" / "b" / "c"):
        with pytest.raises(OutputError, match=r"data(/b)?: a file, where a folder belongs: move it elsewhere"):
            put_if_absent(path, b"")
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "data"}


def test_location_is_local_or_in_an_object_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert location("out") == tmp_path / "out"
    assert str(location("s3://bucket/out") / "data") == "s3://bucket/out/data"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert location("~/out") == tmp_path / "home" / "out"
    assert location("~nobody-of-this-name/out") == tmp_path / "~nobody-of-this-name" / "out"

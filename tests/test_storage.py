"""Files appear whole or not at all."""

import os
import resource
import subprocess
import sys

import pytest

from winnow.runs.storage import find_drafts, location, put, put_if_absent, write_atomically


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
    assert process.stdout == f"5 {tmp_path}: File too large: make room, then continue with `winnow resume`\n"
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096  # not ours


def test_drafts_of_a_dead_writer_are_found(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".tmp-0a").write_bytes(b"half")
    put(tmp_path / "data" / "a.parquet", b"whole")
    assert find_drafts(tmp_path) == [tmp_path / "data" / ".tmp-0a"]


def test_location_is_local_or_in_an_object_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert location("out") == tmp_path / "out"
    assert str(location("s3://bucket/out") / "data") == "s3://bucket/out/data"

"""The cache of audio on disk: one maker for each file, bounded, what was used longest ago goes first."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from winnow.audio.audio_cache import AudioCache
from winnow.errors import DiskFull, OptionError
from winnow.parameters.audio import AudioOptions, bytes_of


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path))
    return AudioCache(1000)


def writes(size, log=None):
    def make(path):
        if log is not None:
            log.append(path)
        path.write_bytes(b"x" * size)

    return make


def refuse(path):
    raise AssertionError(f"{path} is to be there")


def keys(cache, *names):
    """Return which of these keys have a file."""
    made = []
    for name in names:
        with suppress(AssertionError):
            cache.file(name, refuse)
            made.append(name)
    return made


def test_file_is_made_once_for_many_threads(cache):
    log, paths = [], []

    def make(path):
        log.append(path)
        time.sleep(0.05)
        path.write_bytes(b"audio")

    threads = [threading.Thread(target=lambda: paths.append(cache.file("a", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log) == 1
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == b"audio"


def test_what_was_used_longest_ago_is_removed_first(cache):
    for name in "abc":
        cache.file(name, writes(300))
    cache.file("a", writes(300))
    cache.file("d", writes(300))
    assert keys(cache, *"abcd") == ["a", "c", "d"]
    assert sum(size for _, size, _ in cache.files()) <= 1000


def test_bound_holds_for_several_caches_of_a_folder(cache):
    other = AudioCache(1000)
    for number in range(30):
        (cache, other)[number % 2].file(str(number), writes(90))
        assert sum(size for _, size, _ in cache.files()) <= 1000


@pytest.mark.parametrize("bytes_left", [0, 599])
def test_file_that_lacks_bytes_after_a_loss_of_power_is_made_again(cache, bytes_left):
    path = cache.file("a", writes(600))
    os.utime(path, ns=(0, path.stat().st_mtime_ns))
    assert cache.file("a", refuse) == path
    times = path.stat()
    os.truncate(path, bytes_left)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as the system had written it before the content
    assert cache.open("a", writes(600)).size == 600
    assert times.st_atime_ns > 0


def test_files_of_a_disk_with_coarse_times_are_kept(cache):
    path = cache.file("a", writes(600))
    os.utime(path)
    assert cache.file("a", refuse) == path


def test_disk_on_which_files_have_one_name_is_used_too(cache, monkeypatch):
    def refuse_link(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse_link)
    made = []

    def make(path):
        made.append(path)
        path.write_bytes(b"audio")
        return "a, 1"

    cache.file("a, 1", make, of="a")
    assert cache.file("a, 1", refuse, of="a").read_bytes() == b"audio"
    cache.add_first("a", make, made.append)  # the hint is missing
    assert cache.file("a, 1", refuse, of="a").read_bytes() == b"audio"
    assert made[2:] == ["a, 1"]
    assert [path.suffix for path in cache.folder.glob("*/*")] == [""]


def test_open_file_stays_readable_after_it_was_removed(cache):
    with cache.open("a", writes(600)) as file:
        cache.file("b", writes(600))
        assert keys(cache, "a", "b") == ["b"]
        assert file.read_at(1000, 0) == b"x" * 600


def test_file_larger_than_the_cache_is_refused(cache):
    with pytest.raises(OptionError, match=r"--audio.cache of 1 kB: too small for a file of 1.2 kB"):
        cache.file("a", writes(1200))
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []


def test_full_disk_is_one_clear_error_and_leaves_nothing(cache):
    def fill(path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull, match=r"make room, or give less than --audio.cache"):
        cache.file("a", fill)
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []


def test_failed_maker_leaves_nothing_and_another_one_tries_again(cache):
    def break_off(path):
        path.write_bytes(b"half")
        raise ValueError("server")

    with pytest.raises(ValueError, match="server"):
        cache.file("a", break_off)
    assert cache.file("a", writes(3)).read_bytes() == b"xxx"


def test_maker_may_ask_for_other_files(cache):
    def make(path):
        path.write_bytes(cache.file("inner", writes(5)).read_bytes() * 2)

    assert cache.file("outer", make).stat().st_size == 10


KILLED = """
import os, signal
from winnow.audio.audio_cache import AudioCache

def make(path):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)

AudioCache().file("a", make)
"""


def test_draft_of_a_killed_process_is_tidied_and_made_again(cache):
    dead = subprocess.run([sys.executable, "-c", KILLED], env=os.environ)
    assert dead.returncode == -signal.SIGKILL
    assert list(cache.folder.rglob("*.draft"))
    AudioCache().file("b", writes(3))
    assert list(cache.folder.rglob("*.draft")) == []
    assert cache.file("a", writes(3)).read_bytes() == b"xxx"


def test_file_of_a_process_that_was_killed_before_it_removed_its_draft_is_not_written_to(cache):
    kept = cache.file("a, 1", writes(600), of="a")
    cache.path_of("a", "a").with_suffix(".latest").rename(cache.path_of("a", "a").with_suffix(".draft"))

    def make(path):
        path.write_bytes(b"other")
        assert kept.read_bytes() == b"x" * 600
        return "a, 2"

    cache.add_first("a", make, str)
    assert cache.file("a, 1", refuse, of="a").read_bytes() == b"x" * 600
    assert cache.file("a, 2", refuse, of="a").read_bytes() == b"other"
    assert list(cache.folder.rglob("*.draft")) == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("20GB", 20 * 10**9), ("500 MB", 5 * 10**8), ("1GiB", 2**30), ("1.5kB", 1500), ("2T", 2 * 10**12), ("7", 7)],
)
def test_sizes_are_written_as_people_do(text, size):
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "0GB", "GB", "-1GB", "1XB", "20 G B", "1e9"])
def test_other_sizes_are_refused(text):
    with pytest.raises(ValueError, match="is not a size"):
        AudioOptions(cache=text)

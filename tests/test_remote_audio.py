"""Audio behind URLs: fetched into the cache, in the version that is there now, with retries for what may pass."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.web_server import drops, first, serving, slow
from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.decode import load_clip
from winnow.audio.measurements import BadAudio
from winnow.audio.remote import fetch as fetching
from winnow.audio.remote import pace
from winnow.audio.remote import web as web_client
from winnow.audio.remote.fetch import local_path
from winnow.corpora.nemo_jsonl.parse_line import parse_line


@pytest.fixture
def web(tmp_path, monkeypatch, write_tone):
    """Serve a tone at /a.wav; the cache is empty, and retries come at once."""
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetching, "DELAYS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(fetching, "VERSIONS", fetching.Versions())
    with serving() as server:
        server.files["/a.wav"] = write_tone("a.wav").read_bytes()
        yield server


def loaded(url, root=None):
    """Return the seconds of the audio at a URL, or the reason and the detail of its absence."""
    fetching.VERSIONS.forget()
    try:
        return load_clip(url, None, None, 16_000, 120, root).seconds
    except BadAudio as problem:
        return problem.reason, problem.detail


def test_audio_is_fetched_once_and_validated_each_time(web):
    assert loaded(f"{web.url}/a.wav") == loaded(f"{web.url}/a.wav") == 1.0
    assert web.asked == {("HEAD", "/a.wav"): 2, ("GET", "/a.wav"): 1}


def test_changed_file_is_not_served_from_the_cache(web, write_tone):
    assert loaded(f"{web.url}/a.wav") == 1.0
    web.files["/a.wav"] = write_tone("b.wav", 2.0).read_bytes()
    assert loaded(f"{web.url}/a.wav") == 2.0


@pytest.mark.parametrize(
    ("status", "reason", "requests"),
    [
        (404, "AUDIO_MISSING", 1),
        (410, "AUDIO_MISSING", 1),
        (401, "AUDIO_IO", 1),
        (403, "AUDIO_IO", 2),
        (500, "AUDIO_IO", 4),
        (503, "AUDIO_IO", 4),
        (429, "AUDIO_IO", 4),
    ],
)
def test_only_what_may_pass_is_tried_again(web, status, reason, requests):
    web.faults["/a.wav"] = status
    found, detail = loaded(f"{web.url}/a.wav")
    assert found == reason
    assert detail.startswith(f"{web.url}: {status} ")
    assert web.asked.total() == requests  # a 403 to HEAD is asked again by GET, which may be signed otherwise


@pytest.mark.parametrize("fault", [503, 429, drops], ids=["503", "429", "drops"])
def test_server_that_fails_for_a_moment_costs_nothing(web, fault):
    web.faults["/a.wav"] = first(2, fault)
    assert loaded(f"{web.url}/a.wav") == 1.0


def test_connection_that_is_dropped_in_the_middle_leaves_no_half_file(web):
    web.faults["/a.wav"] = drops
    reason, detail = loaded(f"{web.url}/a.wav")
    assert (reason, "before the end of the file" in detail) == ("AUDIO_IO", True)
    assert list(AUDIO_CACHE.files()) == []
    del web.faults["/a.wav"]
    assert loaded(f"{web.url}/a.wav") == 1.0


def test_dead_server_is_left_alone_after_a_few_files(web):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    details = [loaded(f"{dead}/{number}.wav") for number in range(5)]
    assert [reason for reason, _ in details] == ["AUDIO_IO"] * 5
    assert details[0][1] == f"{dead}: cannot be reached (ConnectError), 4 times"
    assert details[4][1] == f"{dead}: did not answer for several files; not asked for this one"
    assert loaded(f"{web.url}/a.wav") == 1.0


def test_slow_server_costs_bounded_time(web, monkeypatch):
    monkeypatch.setattr(web_client, "READ_SECONDS", 0.2)
    web_client.client.cache_clear()
    web.faults["/a.wav"] = slow(5)
    began = time.monotonic()
    reason, detail = loaded(f"{web.url}/a.wav")
    web_client.client.cache_clear()
    assert (reason, "no answer in time" in detail) == ("AUDIO_IO", True)
    assert time.monotonic() - began < 4


def test_server_that_sends_in_drops_is_given_up(web, monkeypatch):
    monkeypatch.setattr(pace, "PATIENCE", 0.1)

    def trickle(handler):
        handler.send(b"", stated=10**6)
        if handler.command == "GET":
            for _ in range(20):
                time.sleep(0.03)
                handler.wfile.write(b"x")

    web.faults["/a.wav"] = trickle
    reason, detail = loaded(f"{web.url}/a.wav")
    assert (reason, "too slow" in detail) == ("AUDIO_IO", True)


def test_file_that_changes_while_it_is_fetched_is_fetched_again_whole(web, write_tone):
    new = write_tone("b.wav", 2.0).read_bytes()

    def changes(handler):
        handler.send(handler.server.files["/a.wav"])
        if handler.command == "HEAD":
            handler.server.files["/a.wav"] = new

    web.faults["/a.wav"] = first(1, changes)
    assert loaded(f"{web.url}/a.wav") == 2.0


@pytest.mark.parametrize(
    ("url", "root", "reason"),
    [
        ("{0}/in/a.wav", "{0}/in", None),
        ("{0}/in/a.wav", "{0}/in/", None),
        ("{0}/a.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/inside/a.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/../a.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/%2e%2e/a.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/%252e%252e/a.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/a.wav", "http://example.org/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/a.wav", "s3://bucket/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/a.wav", "/data", "PATH_OUTSIDE_ROOT"),
        ("/data/a.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/elsewhere.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/below.wav", "{0}/in", None),
        ("{0}/in/other-host.wav", "{0}/in", "PATH_OUTSIDE_ROOT"),
        ("{0}/in/elsewhere.wav", None, None),
        ("{0}/in/file.wav", None, "AUDIO_IO"),
        ("{0}/in/loop.wav", None, "AUDIO_IO"),
    ],
)
def test_url_and_its_redirects_cannot_lead_out_of_the_audio_root(web, url, root, reason):
    web.files["/in/a.wav"] = web.files["/inside/a.wav"] = web.files["/a.wav"]
    for name, target in {
        "elsewhere": "/a.wav",
        "below": "a.wav",
        "other-host": f"http://localhost:{web.server_port}/in/a.wav",
        "file": "file:///etc/passwd",
        "loop": "loop.wav",
    }.items():
        web.faults[f"/in/{name}.wav"] = lambda handler, target=target: handler.empty(302, Location=target)
    found = loaded(url.format(web.url), root and root.format(web.url))
    assert (found if reason is None else found[0]) == (1.0 if reason is None else reason)


def test_no_secret_of_a_redirect_is_told(web):
    web.faults["/a.wav"] = lambda handler: handler.empty(302, Location="/b.wav?X-Amz-Signature=s3cret")
    web.faults["/b.wav?X-Amz-Signature=s3cret"] = 403
    reason, detail = loaded(f"{web.url}/a.wav")
    assert (reason, detail) == ("AUDIO_IO", f"{web.url}: 403 Forbidden")


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("https://h/c", "a b#1.wav", "https://h/c/a%20b%231.wav"),
        ("https://h/c/", "./a.wav", "https://h/c/a.wav"),
        ("s3://b/c", "a b#1.wav", "s3://b/c/a b#1.wav"),
        ("s3://b/c", "/data/a.wav", "/data/a.wav"),
        ("/data", "s3://b/a.wav", "s3://b/a.wav"),
        (
            "s3://b/c",
            "tar://x.wav?start=512&size=1&header=1::a.tar",
            "tar://x.wav?start=512&size=1&header=1::s3://b/c/a.tar",
        ),
        ("/data", "tar://x.wav?start=1::https://h/a.tar", "tar://x.wav?start=1::https://h/a.tar"),
    ],
)
def test_relative_path_starts_at_the_url_of_its_folder(folder, path, expected):
    row = parse_line(json.dumps({"audio_filepath": path, "text": "a"}).encode(), folder)
    assert (row["reason"], row["path"]) == (None, expected)


@pytest.mark.parametrize(
    "url",
    ["gs://bucket/a.wav", "ftp://h/a.wav", "memory://a.wav", "https://me:s3cret@h/a.wav", "https://h/a.wav?sig=s3cret"],
)
def test_other_schemes_and_credentials_are_refused(url):
    row = parse_line(json.dumps({"audio_filepath": url, "text": "a"}).encode(), "/data")
    assert row["reason"] == "UNSUPPORTED_SCHEME"
    assert "s3cret" not in str(row)


DOWNLOAD = "import sys; from winnow.audio.remote.fetch import local_path; print(local_path(sys.argv[1]))"


def test_process_that_is_killed_during_a_download_leaves_nothing_behind(web):
    half_sent = threading.Event()

    def stalls(handler):
        content = handler.server.files["/a.wav"]
        handler.send(content[:1000], stated=len(content))
        if handler.command == "GET":
            half_sent.set()
            time.sleep(5)

    web.faults["/a.wav"] = stalls
    child = subprocess.Popen([sys.executable, "-c", DOWNLOAD, f"{web.url}/a.wav"], env=os.environ)
    assert half_sent.wait(30)
    child.send_signal(signal.SIGKILL)
    child.wait()
    del web.faults["/a.wav"]
    assert local_path(f"{web.url}/a.wav").read_bytes() == web.files["/a.wav"]
    assert list(AUDIO_CACHE.folder.rglob("*.draft")) == list(AUDIO_CACHE.folder.rglob("*.lock")) == []


def test_proxy_is_not_asked_for_this_machine(web, proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    web_client.client.cache_clear()
    assert loaded(f"{web.url}/a.wav") == 1.0
    web_client.client.cache_clear()
    assert proxy.requests == []

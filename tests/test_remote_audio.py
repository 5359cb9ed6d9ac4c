"""Audio behind URLs: fetched into the cache, in the version that is there now, with retries for what may pass."""

import gzip
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.object_store import put_files, running_bucket
from tests.web_server import drops, first, serving, slow
from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.decode import load_clip
from winnow.audio.measurements import BadAudio
from winnow.audio.remote import connections, pace
from winnow.audio.remote import fetch as fetching
from winnow.audio.remote.fetch import local_path
from winnow.corpora.nemo_jsonl.parse_line import parse_line
from winnow.engines.isolation import run_in_child
from winnow.errors import OptionError


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


def connect_anew():
    """Read the environment and the timeouts again."""
    connections.manager_for.cache_clear()
    connections.pools.cache_clear()


def test_audio_is_fetched_once_and_validated_each_time(web):
    assert loaded(f"{web.url}/a.wav") == loaded(f"{web.url}/a.wav") == 1.0
    assert web.asked == {("GET", "/a.wav"): 1, ("HEAD", "/a.wav"): 1}


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
        (403, "AUDIO_IO", 1),
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
    assert web.asked.total() == requests


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
    assert details[0][1] == f"{dead}: cannot be reached (NewConnectionError), 4 times"
    assert details[4][1] == f"{dead}: did not answer for several files; not asked for this one"
    assert loaded(f"{web.url}/a.wav") == 1.0


def test_slow_server_costs_bounded_time(web, monkeypatch):
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)
    connect_anew()
    web.faults["/a.wav"] = slow(5)
    began = time.monotonic()
    reason, detail = loaded(f"{web.url}/a.wav")
    connect_anew()
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
    assert loaded(f"{web.url}/a.wav") == 1.0
    second, third = (write_tone(f"{seconds}.wav", seconds).read_bytes() for seconds in (2.0, 3.0))
    web.files["/a.wav"] = second

    def changes(handler):
        handler.send(second)
        handler.server.files["/a.wav"] = third

    web.faults["/a.wav"] = first(1, changes)
    assert loaded(f"{web.url}/a.wav") == 3.0
    assert web.asked["HEAD", "/a.wav"] == 1


def test_version_that_head_and_get_state_differently_is_that_of_the_file(web):
    assert loaded(f"{web.url}/a.wav") == 1.0

    def differs(handler):
        handler.empty(200, ETag='"other"') if handler.command == "HEAD" else handler.send(
            handler.server.files["/a.wav"]
        )

    web.faults["/a.wav"] = differs
    assert loaded(f"{web.url}/a.wav") == 1.0


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_server_that_answers_get_only_is_asked_by_it(web, status):
    def no_head(handler):
        handler.empty(status) if handler.command == "HEAD" else handler.send(handler.server.files["/a.wav"])

    web.faults["/a.wav"] = no_head
    assert [loaded(f"{web.url}/a.wav") for _ in range(2)] == [1.0, 1.0]
    assert web.asked == {("GET", "/a.wav"): 2, ("HEAD", "/a.wav"): 1}


def test_server_that_states_no_version_is_asked_for_the_file_in_each_pass_and_no_copy_stays(web):
    def unversioned(handler):
        content = handler.server.files["/a.wav"]
        handler.send_with({"Content-Length": len(content)}, content)

    web.faults["/a.wav"] = unversioned
    for requests in (1, 2):
        assert loaded(f"{web.url}/a.wav") == 1.0
        assert web.asked == {("GET", "/a.wav"): requests}
        assert len(list(AUDIO_CACHE.files())) == 1
    fetching.VERSIONS.forget()
    assert list(AUDIO_CACHE.files()) == []


def test_copies_of_files_without_a_version_end_with_their_process(web):
    def unversioned(handler):
        handler.send_with({"Content-Length": 5}, b"audio")

    web.faults["/a.wav"] = unversioned
    run_in_child(local_path, f"{web.url}/a.wav")
    subprocess.run([sys.executable, "-c", DOWNLOAD, f"{web.url}/a.wav"], check=True, stdout=subprocess.DEVNULL)
    assert web.asked["GET", "/a.wav"] == 2
    assert list(AUDIO_CACHE.files()) == []


def test_threads_fetch_a_container_once(web):
    with ThreadPoolExecutor(8) as threads:
        paths = set(threads.map(local_path, [f"{web.url}/a.wav"] * 8))
    assert len(paths) == 1
    assert web.asked == {("GET", "/a.wav"): 1}


def test_first_version_is_fetched_by_one_request_after_it_was_removed(web, monkeypatch):
    web.files["/b.wav"] = web.files["/a.wav"]
    monkeypatch.setattr(AUDIO_CACHE, "limit", int(1.5 * len(web.files["/a.wav"])))
    assert [loaded(f"{web.url}/{name}.wav") for name in "aba"] == [1.0] * 3
    assert web.asked == {("GET", "/a.wav"): 2, ("GET", "/b.wav"): 1}


def chunked(handler, pieces):
    """Send a file without stating its length."""
    handler.send_with({"Transfer-Encoding": "chunked"}, b"")
    if handler.command == "GET":
        for piece in pieces:
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")


def compressed(handler, change=bytes):
    """Send a file as gzip has it after a change, with the length of what is sent."""
    content = change(gzip.compress(handler.server.files["/a.wav"]))
    handler.send_with({"Content-Encoding": "gzip", "Content-Length": len(content)}, content)


def every_second(handler):
    count = handler.server.asked.total()
    handler.empty(500) if count % 2 else handler.send(handler.server.files["/a.wav"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (lambda handler: chunked(handler, [handler.server.files["/a.wav"]]), 1.0),
        (compressed, 1.0),
        (lambda handler: compressed(handler, lambda content: content * 2), 2.0),
        (lambda handler: compressed(handler, lambda content: content[:-9]), "AUDIO_IO"),
        (lambda handler: compressed(handler, lambda content: content[:-8] + bytes(8)), "AUDIO_IO"),
        (lambda handler: compressed(handler, lambda content: b"RIFF" + content), "AUDIO_IO"),
        (every_second, 1.0),
        (lambda handler: handler.send(handler.server.files["/a.wav"], stated=10**6), "AUDIO_IO"),
        (lambda handler: handler.send(handler.server.files["/a.wav"], stated=10_000), "BAD_HEADER"),
        (lambda handler: handler.send(handler.server.files["/a.wav"], stated=-1), 1.0),
        (lambda handler: handler.wfile.write(b"not HTTP\r\n\r\n"), "AUDIO_IO"),
        (lambda handler: handler.send(b"<html>please sign in</html>"), "AUDIO_UNREADABLE"),
        (lambda handler: handler.empty(206), "AUDIO_IO"),
        (lambda handler: handler.empty(302), "AUDIO_IO"),
    ],
    ids=[
        "chunked",
        "gzip",
        "gzip twice",
        "gzip cut off",
        "gzip damaged",
        "no gzip",
        "500 in turns",
        "too long",
        "too short",
        "negative",
        "not HTTP",
        "HTML",
        "206",
        "nowhere",
    ],
)
def test_strange_answers_cost_no_more_than_their_row(web, fault, expected):
    def strange(handler):
        handler.close_connection = True
        fault(handler)

    web.faults["/a.wav"] = strange
    found = loaded(f"{web.url}/a.wav")
    assert (found if isinstance(found, float) else found[0]) == expected
    del web.faults["/a.wav"]
    assert loaded(f"{web.url}/a.wav") in (1.0, found)


def test_compressed_file_stays_as_it_is_whatever_its_server_calls_the_encoding(web):
    web.faults["/rows.jsonl.gz"] = compressed
    assert local_path(f"{web.url}/rows.jsonl.gz").read_bytes() == gzip.compress(web.files["/a.wav"])


@pytest.mark.parametrize("stated", [None, 10**9])
def test_file_larger_than_the_cache_is_not_fetched_whole(web, monkeypatch, stated):
    sent = []

    def endless():
        for _ in range(1000):
            sent.append(1)
            yield bytes(2**16)

    monkeypatch.setattr(AUDIO_CACHE, "limit", 10**6)
    web.faults["/a.wav"] = lambda handler: chunked(handler, endless()) if stated is None else handler.send(b"", stated)
    with pytest.raises(OptionError, match=r"--audio.cache of 1 MB: too small for a file of"):
        local_path(f"{web.url}/a.wav")
    assert len(sent) < 500
    assert list(AUDIO_CACHE.folder.rglob("*.draft")) == list(AUDIO_CACHE.files()) == []


def test_object_larger_than_the_cache_is_not_written(web, monkeypatch):
    written = []
    monkeypatch.setattr(pace.Pace, "add", lambda own, count: written.append(count))
    monkeypatch.setattr(AUDIO_CACHE, "limit", 10**6)
    with running_bucket("large") as url:
        put_files(url, {"fits.wav": bytes(10**5), "large.wav": bytes(2 * 10**6)})
        assert local_path(f"{url}/fits.wav").stat().st_size == sum(written) == 10**5
        with pytest.raises(OptionError, match=r"--audio.cache of 1 MB: too small for a file of 2 MB"):
            local_path(f"{url}/large.wav")
    assert sum(written) == 10**5
    assert list(AUDIO_CACHE.folder.rglob("*.draft")) == []


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
        ("{0}/in/no-host.wav", None, "AUDIO_IO"),
        ("{0}/in/no-port.wav", "{0}/in", "AUDIO_IO"),
        ("http://[::1/in/a.wav", "{0}/in", "UNSUPPORTED_SCHEME"),
        ("http://h:99999/in/a.wav", "{0}/in", "UNSUPPORTED_SCHEME"),
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
        "no-host": "http://[::1/in/a.wav",
        "no-port": "http://h:99999/in/a.wav",
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
    assert list(AUDIO_CACHE.folder.rglob("*.draft")) == []


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "http://h/a", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://h/a", "http://p:1"),
        ({"HTTP_PROXY": "p:1"}, "http://h/a", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://h/a", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://h/a", "http://p:1"),
        ({"ALL_PROXY": "socks5://p:1"}, "https://h/a", "socks5://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "h"}, "https://h/a", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "h"}, "https://sub.h:8080/a", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "h"}, "https://other/a", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://other/a", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost/a", None),
    ],
)
def test_proxy_of_the_environment_is_used_except_for_hosts_of_no_proxy(environment, url, proxy, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert connections.proxy_of(url) == proxy


def test_file_is_fetched_through_a_proxy_with_its_password(web, monkeypatch):
    seen = []
    url = "http://winnow.invalid/a.wav"

    def forwards(handler):
        seen.append(handler.headers["Proxy-Authorization"])
        handler.send(handler.server.files["/a.wav"])

    monkeypatch.setenv("HTTP_PROXY", web.url.replace("//", "//me:s3cret@"))
    web.faults[url] = forwards
    assert loaded(url) == 1.0
    assert seen == ["Basic bWU6czNjcmV0"]


@pytest.mark.parametrize("trusted", [True, False])
def test_certificate_of_a_server_is_checked(web, tmp_path, monkeypatch, trusted):
    certificate = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    connect_anew()
    url = f"https://localhost:{web.server_port}"
    found = loaded(f"{url}/a.wav")
    connect_anew()
    assert found == (1.0 if trusted else ("AUDIO_IO", f"{url}: cannot be reached (SSLError), 4 times"))


def write_certificate(folder):
    """Write a certificate of this machine, and its key, into one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    today = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(today - timedelta(1)).not_valid_after(today + timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(private + builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return folder / "server.pem"


def test_proxy_is_not_asked_for_this_machine(web, proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    connect_anew()
    assert loaded(f"{web.url}/a.wav") == 1.0
    connect_anew()
    assert proxy.requests == []

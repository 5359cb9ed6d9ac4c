"""Downloads from a stand-in for the Hugging Face hub: what is downloaded, cached and resumed."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stand_in_hub import COMMIT, Hub, hub

CHUNK = 10 * 2**20  # huggingface_hub writes so many bytes at once
SIZE = 24_000_000

FETCH = """
import sys
from winnow.doctor.checkpoint_check import check_checkpoint, why_not_runnable
from winnow.engines.hub import bytes_to_download, fetch, progress_callback
progress_callback.set(lambda downloaded, size: print("progress", downloaded, size, flush=True))
repository, _, revision = sys.argv[1].partition("@")
if bytes_to_download(repository, "speech.nemo", None):
    print(check_checkpoint(sys.argv[1], True).finding.message, "/", why_not_runnable([sys.argv[1]]).remedy)
print("missing", bytes_to_download(repository, "speech.nemo", revision or None))
print(fetch(repository, "speech.nemo", revision or None))
"""


@pytest.fixture
def hub_server(tmp_path) -> Iterator[Hub]:
    folder = tmp_path / "hub" / "acme" / "speech"
    folder.mkdir(parents=True)
    (folder / "speech.nemo").write_bytes(bytes(range(250)) * (SIZE // 250))
    with hub(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def fetch(hub_server, tmp_path) -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts a download of acme/speech; huggingface_hub reads its settings on import."""

    def start(name: str = "acme/speech", **more: str) -> subprocess.Popen[str]:
        own = {"HF_ENDPOINT": hub_server.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        line = [sys.executable, "-c", FETCH, name]
        pipe = subprocess.PIPE
        return subprocess.Popen(line, env=os.environ | own | more, stdout=pipe, stderr=pipe, text=True)

    return start


def output_lines(process: subprocess.Popen[str]) -> list[str]:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output.splitlines()


def download_offsets(hub_server: Hub) -> list[str]:
    """Return the byte at which each download started."""
    return [requests.partition("bytes=")[2] or "0-" for requests in hub_server.requests if requests.startswith("GET")]


def test_file_is_downloaded_once_and_then_comes_from_the_cache(hub_server, fetch):
    first = output_lines(fetch())
    assert first[:2] == [
        "acme/speech: not downloaded yet (24.0 MB) / winnow download-models acme/speech",
        f"missing {SIZE}",
    ]
    assert first[-2] == f"progress {SIZE} {SIZE}"
    assert Path(first[-1]).read_bytes() == (hub_server.folder / "acme" / "speech" / "speech.nemo").read_bytes()
    for name, more in (("acme/speech", {}), (f"acme/speech@{COMMIT}", {}), ("acme/speech", {"HF_HUB_OFFLINE": "1"})):
        assert output_lines(fetch(name, **more)) == ["missing None", first[-1]]
    assert download_offsets(hub_server) == ["0-"]


def test_download_resumes_after_a_broken_connection(hub_server, fetch):
    hub_server.cut = [12_000_000]
    output = output_lines(fetch())
    assert download_offsets(hub_server) == ["0-", f"{CHUNK}-"]
    content = Path(output[-1]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == Path(output[-1]).resolve().name


def test_download_resumes_after_its_process_was_killed(hub_server, fetch, tmp_path):
    hub_server.pause = 12_000_000
    process = fetch()
    part = wait_for_file(lambda: next((p for p in (tmp_path / "home").rglob("*.part") if p.stat().st_size), None))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    downloaded = part.stat().st_size
    hub_server.pause = None
    output = output_lines(fetch())
    assert download_offsets(hub_server) == ["0-", f"{downloaded}-"]
    assert Path(output[-1]).stat().st_size == SIZE
    assert not list((tmp_path / "home").rglob("*.part"))


def wait_for_file(find: Callable[[], Path | None]) -> Path:
    end = time.monotonic() + 30
    while (path := find()) is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    return path


def test_download_with_another_checksum_is_removed(hub_server, fetch, tmp_path):
    part = tmp_path / "home" / "hub" / "models--acme--speech" / "blobs"
    part.mkdir(parents=True)
    digest = hashlib.sha256((hub_server.folder / "acme" / "speech" / "speech.nemo").read_bytes()).hexdigest()
    (part / f"{digest}.part").write_bytes(b"something else")
    _, errors = (process := fetch()).communicate()
    assert process.returncode
    assert "ChecksumMismatch" in errors.splitlines()[-1]
    assert Path(output_lines(fetch())[-1]).stat().st_size == SIZE

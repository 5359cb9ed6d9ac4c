"""Servers and containers that fail during a run: each fault costs its own rows, with a reason, and no other row."""

import io
import json
import socket

import numpy as np
import pytest
import soundfile

from flows.curate import run_curation
from flows.orchestrator import InProcess
from tests.conftest import published_rows
from tests.faults.test_changes import RATE, run_while
from tests.web_server import drops, first, serving, slow
from winnow.audio.remote import connections
from winnow.audio.remote import fetch as fetching
from winnow.parameters.curation import Curation
from winnow.runs.verify import verify_run

NAMES = "abcd"


def sound(name):
    """Return a WAV file of a second, with a tone of its own for each name."""
    file = io.BytesIO()
    hertz = 300 + 50 * ord(name[0])
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE), RATE, format="WAV")
    return file.getvalue()


@pytest.fixture
def web(tmp_path, monkeypatch):
    """Serve four files; the cache is empty, and retries come at once."""
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetching, "DELAYS", (0.0,))
    with serving() as server:
        server.files |= {f"/{name}.wav": sound(name) for name in NAMES}
        yield server


@pytest.fixture
def settings(hears, tmp_path):
    """Return a function for a run over files by their names, of which the small model mishears all but `a` and `b`."""

    def make(paths):
        rows = [{"audio_filepath": path, "text": f"good morning {name}"} for name, path in paths.items()]
        (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        large = {path: f"good morning {name}" for name, path in paths.items()}
        small = large | {path: "good night then" for name, path in paths.items() if name not in "ab"}
        options = {"gate": {"audit": 0}, "max_quarantined": 1.0, **hears(small=small, large=large)}
        return Curation(manifest=tmp_path / "corpus.jsonl", output=tmp_path / "run", **options)

    return make


def reasons(run):
    """Return the reason of each row; the output is consistent."""
    assert [check.sentence for check in verify_run(run) if not check.holds] == []
    return {row["text"].removeprefix("good morning "): row["reason"] for row in published_rows(run)}


def other_etag(handler):
    """Send the same file as another version, as servers do that were restored."""
    content = handler.server.files[handler.path]
    handler.send_with({"ETag": '"restored"', "Content-Length": len(content)}, content)


def test_file_that_is_replaced_or_gone_between_the_passes_costs_its_row(web, settings, tmp_path):
    faults = {
        "replaced": (lambda handler: handler.send(sound("z")), "AUDIO_CHANGED"),
        "restored": (other_etag, None),
        "404": (404, "AUDIO_MISSING"),
        "403": (403, "AUDIO_IO"),
        "replaced, and dies": (drops, "AUDIO_IO"),
    }
    paths = {name: f"{web.url}/{name}.wav" for name in NAMES}
    for number, name in enumerate(faults):
        paths[name] = f"{web.url}/{number}.wav"
        web.files[f"/{number}.wav"] = sound(str(number))

    def change():
        web.faults |= {f"/{number}.wav": fault for number, (fault, _) in enumerate(faults.values())}

    run_while(settings(paths), "transcribe_shards", change)
    assert reasons(tmp_path / "run") == dict.fromkeys(NAMES) | {name: reason for name, (_, reason) in faults.items()}


def test_each_faulty_file_costs_its_own_row(web, settings, monkeypatch, tmp_path):
    monkeypatch.setattr(connections, "READ_SECONDS", 0.3)
    connections.pools.cache_clear()
    connections.manager_for.cache_clear()
    faults = {
        "403": (403, "AUDIO_IO"),
        "404": (404, "AUDIO_MISSING"),
        "500": (500, "AUDIO_IO"),
        "500 at first": (first(1, 500), None),
        "slow": (slow(1), "AUDIO_IO"),
        "dies": (drops, "AUDIO_IO"),
        "loop": (lambda handler: handler.empty(302, Location=handler.path), "AUDIO_IO"),
        "HTML": (lambda handler: handler.send(b"<html>sign in</html>"), "AUDIO_UNREADABLE"),
        "half": (lambda handler: handler.send(sound("h")[:9_999]), "BAD_HEADER"),
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/a.wav"
    paths = {name: f"{web.url}/{name}.wav" for name in NAMES} | {"dead": dead}
    for number, (name, (fault, _)) in enumerate(faults.items()):
        paths[name] = f"{web.url}/{number}.wav"
        web.files[f"/{number}.wav"] = sound(str(number))
        web.faults[f"/{number}.wav"] = fault
    run_curation(settings(paths), InProcess())
    connections.pools.cache_clear()
    connections.manager_for.cache_clear()
    expected = dict.fromkeys(NAMES) | {"dead": "AUDIO_IO"} | {name: reason for name, (_, reason) in faults.items()}
    assert reasons(tmp_path / "run") == expected

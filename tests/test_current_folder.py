"""Python files in the current folder are never imported, even if they are named like ours, a library's or Python's."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import published

NAMES = ("cli", "deployments", "flows/__init__", "json", "prefect", "tasks", "torch", "types", "winnow")

HOSTILE = """
with open({log!r}, "a") as log:
    log.write(__name__ + "\\n")
raise SystemExit("a file of the current folder was imported")
"""

DEADLY = """
import os, signal, sys

def die(event, arguments):
    if event == "open" and "poison" in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
"""
"""A sitecustomize that kills the process that opens `poison.wav`."""


@pytest.fixture
def winnow(tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a folder with hostile files; assert that none of them was imported."""
    folder, log = tmp_path / "current", tmp_path / "imported"
    for name in NAMES:
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HOSTILE.format(log=str(log)))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DEADLY)

    def run(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment |= {"PREFECT_HOME": str(tmp_path / "home")} | variables
        line = [sys.executable, "-P", "-m", "cli.app", *map(str, words)]
        process = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=480)
        assert not log.exists(), log.read_text()
        return process

    return run


def test_commands_import_nothing_from_the_current_folder(winnow, manifest, hears, tmp_path, prefect_server):
    names = ["a.wav", "b.wav", "poison.wav"]
    corpus = manifest(*[{"audio_filepath": name, "duration": 1.0, "text": "hello there"} for name in names])
    models = hears(small=dict.fromkeys(names, "hello there"), other=dict.fromkeys(names[:2], "hello their"))

    def run(command: str, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        line = [command, corpus, "--output", tmp_path / command, "--max-quarantined", 0.5, *words]
        return winnow(*line, PREFECT_API_URL=prefect_server, **variables)

    deadly = {"PYTHONPATH": str(tmp_path / "site")}
    with ThreadPoolExecutor() as pool:
        runs = [
            # its worker dies at the poison, which is then isolated
            pool.submit(run, "curate", "--small", models["small"], "--devices", "local", "--dask.workers", 1, **deadly),
            pool.submit(run, "ensemble", "--models", models["small"], models["other"]),
            # a smoke run of `winnow curate`, inline and with a server of its own
            pool.submit(winnow, "doctor"),
        ]
        processes = [run.result() for run in runs]
    processes.append(winnow("resume", tmp_path / "curate"))  # with a server of its own
    assert [process.stderr for process in processes if process.returncode] == []
    assert [row["reason"] for row in published(tmp_path / "curate")] == [None, None, "WORKER_KILLED"]
    assert "one utterance went through a complete run" in processes[2].stdout

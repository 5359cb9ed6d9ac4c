"""Python files in the current folder are never imported, even if they are named like ours, a library's or Python's."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, published_rows

pytestmark = pytest.mark.unmeasured

TOPS = ("winnow", "tasks", "flows", "deployments", "cli")
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


def hostile_folder(here: Path) -> tuple[Path, Path]:
    """Return a folder of hostile files, and the file that exists once one of them was imported."""
    folder, log = here / "current", here / "imported"
    for name in NAMES:
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HOSTILE.format(log=str(log)))
    return folder, log


@pytest.fixture
def winnow(tmp_path, prefect_server) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a folder with hostile files; assert that none of them was imported."""
    folder, log = hostile_folder(tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DEADLY)

    def run(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment |= {"PREFECT_HOME": str(tmp_path / "home"), "PREFECT_API_URL": prefect_server} | variables
        line = [sys.executable, "-P", "-m", "cli.app", *map(str, words)]
        process = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=480)
        assert not log.exists(), log.read_text()
        return process

    return run


def test_a_run_imports_nothing_from_the_current_folder(winnow, manifest, hears, tmp_path):
    """The run starts a Dask worker, which dies at an utterance that is then isolated; test_server.py has servers."""
    names = ["a.wav", "b.wav", "poison.wav"]
    corpus = manifest(*[{"audio_filepath": name, "duration": 1.0, "text": "hello there"} for name in names])
    words = ["--output", tmp_path / "run", "--max-quarantined", 0.5, "--devices", "local", "--dask.workers", 1]
    words += ["--small", hears(small=dict.fromkeys(names, "hello there"))["small"]]
    process = winnow("curate", corpus, *words, PYTHONPATH=str(tmp_path / "site"))
    assert process.returncode == 0, process.stderr
    assert [row["reason"] for row in published_rows(tmp_path / "run")] == [None, None, "WORKER_KILLED"]


def test_every_process_that_is_started_ignores_the_current_folder():
    starts = []
    for path in sorted(path for top in TOPS for path in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable":
                starts.append(f"{path.name}: {ast.unparse(node.elts[1])}")
    assert len(starts) >= 6
    assert [start for start in starts if not start.endswith(": '-P'")] == []

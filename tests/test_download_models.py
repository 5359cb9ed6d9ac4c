"""Downloads of models ahead of a run: from a hub, a folder and the cache, and the causes of failures."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from demo.__main__ import pinned
from flows.download_models import download_models
from tests.conftest import DEMO, ROOT
from tests.stand_in_hub import COMMIT, hub
from winnow.errors import OptionError

DIGESTS = {
    path.split("/")[-1].partition(".")[0]: path.partition("@sha256:")[2] for path in map(pinned, ("small", "large"))
}


@pytest.fixture
def hub_server(tmp_path):
    """A hub with the demo's checkpoints, and a file that is not a checkpoint."""
    for name in ("small", "large"):
        (tmp_path / "hub" / "demo" / name).mkdir(parents=True)
        shutil.copy(DEMO / f"{name}.nemo", tmp_path / "hub" / "demo" / name)
    (tmp_path / "hub" / "demo" / "page").mkdir()
    (tmp_path / "hub" / "demo" / "page" / "page.nemo").write_text("<html>")
    with hub(tmp_path / "hub") as server:
        yield server


COMMANDS = """
import json, sys
from cli.app import main
for words in json.loads(sys.argv[1]):
    code = 0
    try:
        main(words)
    except SystemExit as ended:
        code = ended.code
    for stream in sys.stdout, sys.stderr:
        print(f"exit code {code}", file=stream, flush=True)
"""


@pytest.fixture
def run_downloads(hub_server, tmp_path, prefect_server):
    """Run `winnow download-models` with each list of words, beginning with empty caches.

    Return the exit code, the output, the log and the rows of each. They share one process, but not this one:
    huggingface_hub reads its settings on import.
    """

    def run(*lists):
        settings = {"HF_ENDPOINT": hub_server.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        settings |= {"WINNOW_CACHE": str(tmp_path / "cache"), "PREFECT_API_URL": prefect_server}
        files = [tmp_path / f"models{number}.json" for number in range(len(lists))]
        commands = [["download-models", *words, "--json", str(file)] for words, file in zip(lists, files, strict=True)]
        line = [sys.executable, "-P", "-c", COMMANDS, json.dumps(commands)]
        environment = os.environ | settings
        process = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
        assert process.returncode == 0, process.stderr
        output, log = (re.split(r"exit code (\d+)\n", text) for text in (process.stdout, process.stderr))
        codes = map(int, output[1::2])
        return list(zip(codes, output[::2], log[::2], (json.loads(file.read_text()) for file in files), strict=False))

    return run


@pytest.mark.soak  # a process that imports NeMo; tests/test_hub.py shows the downloads
def test_models_are_downloaded_once_and_a_failure_does_not_stop_the_rest(hub_server, run_downloads):
    """An unpinned model is not even downloaded; the error has the pin to use, that of a hub or of the file."""
    names = ["demo/small", "demo/none", f"demo/large@{COMMIT}", "demo/page"]
    pinned_small = f"demo/small@sha256:{DIGESTS['small']}"
    unpinned, trusted, again = run_downloads(
        ["demo/small"], [*names, "--trust-unpinned"], [pinned_small, names[2], "demo/small"]
    )
    downloaded = [request.partition("/resolve/")[0] for request in hub_server.requests if request.startswith("GET")]
    assert sorted(downloaded) == ["GET /demo/large", "GET /demo/page", "GET /demo/small"]  # none of them twice

    exit_code, _, log, (row,) = unpinned
    assert (exit_code, row["state"]) == (7, "failed")
    assert f"pin today's as demo/small@{COMMIT}, or accept any with --trust-unpinned" in row["cause"]
    assert log.splitlines()[-1].startswith("winnow: ")
    assert "Traceback" not in log

    exit_code, output, log, rows = trusted
    assert exit_code == 7
    assert [(row["model"], row["state"], row["sha256"]) for row in rows] == [
        ("demo/small", "fetched", DIGESTS["small"]),
        ("demo/none", "failed", None),
        (names[2], "fetched", DIGESTS["large"]),
        ("demo/page", "failed", None),
    ]
    assert "none.nemo cannot be downloaded from the hub" in rows[1]["cause"]
    assert "demo/page: failed its preflight: not a NeMo checkpoint" in rows[3]["cause"]
    assert [row["bytes"] for row in rows] == [1_945_600, None, 11_008_000, None]
    assert f"pinned: {pinned_small}" in output.splitlines()
    assert rows[0]["pin"] == pinned_small
    assert log.splitlines()[-1].startswith("winnow: 2 of 4 models could not be downloaded: ")

    exit_code, _, _, rows = again
    assert exit_code == 7
    assert [row["state"] for row in rows] == ["cached", "cached", "failed"]
    assert f"pin today's as {pinned_small}, or" in rows[2]["cause"]


def test_checkpoints_of_a_folder_are_copied_once(tmp_path, prefect_server, monkeypatch):
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    (tmp_path / "models").mkdir()
    for name in ("small", "large"):
        shutil.copy(DEMO / f"{name}.nemo", tmp_path / "models")
    parameters = {"models": [str(tmp_path / "models"), str(tmp_path / "models" / "large.nemo")]}
    for state in ("copied", "cached"):
        rows = download_models(**parameters)
        assert [(row.model, row.state) for row in rows] == [
            (str(tmp_path / "models" / f"{name}.nemo"), state) for name in ("large", "small")
        ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match=r"empty: no checkpoint \(\.nemo\) in this folder"):
        download_models(models=[str(tmp_path / "empty")])

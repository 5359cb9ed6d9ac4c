"""Downloads of models ahead of a run: from a hub, a folder and the cache, and the causes of failures."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from demo.__main__ import pinned
from flows.download_models import download_models
from tests.conftest import DEMO, ROOT
from tests.stand_in_hub import COMMIT, hub
from winnow.errors import OptionError

pytestmark = pytest.mark.usefixtures("measured_children")

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


@pytest.fixture
def run_download(hub_server, tmp_path, prefect_server):
    """Run `winnow download-models` with empty caches; return the process and the rows that it wrote."""

    def run(*words, **variables):
        settings = {"HF_ENDPOINT": hub_server.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        settings |= {"WINNOW_CACHE": str(tmp_path / "cache"), "PREFECT_API_URL": prefect_server}
        line = [sys.executable, "-m", "cli.app", "download-models", *words, "--json", tmp_path / "models.json"]
        environment = os.environ | settings | variables
        process = subprocess.run(
            list(map(str, line)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
        )
        return process, json.loads((tmp_path / "models.json").read_text())

    return run


def test_models_are_downloaded_once_and_a_failure_does_not_stop_the_rest(hub_server, run_download):
    """An unpinned model is not even downloaded; the error has the pin to use, that of a hub or of the file."""
    process, (row,) = run_download("demo/small")
    assert (process.returncode, row["state"]) == (7, "failed")
    assert f"pin today's as demo/small@{COMMIT}, or accept any with --trust-unpinned" in row["cause"]
    assert not [request for request in hub_server.requests if request.startswith("GET")]
    assert process.stderr.splitlines()[-1].startswith("winnow: ")
    assert "Traceback" not in process.stderr

    names = ["demo/small", "demo/none", f"demo/large@{COMMIT}", "demo/page"]
    process, rows = run_download(*names, "--trust-unpinned")
    assert process.returncode == 7
    assert [(row["model"], row["state"], row["sha256"]) for row in rows] == [
        ("demo/small", "fetched", DIGESTS["small"]),
        ("demo/none", "failed", None),
        (names[2], "fetched", DIGESTS["large"]),
        ("demo/page", "failed", None),
    ]
    assert "none.nemo cannot be downloaded from the hub" in rows[1]["cause"]
    assert "demo/page: failed its preflight: not a NeMo checkpoint" in rows[3]["cause"]
    assert [row["bytes"] for row in rows] == [1_945_600, None, 11_008_000, None]
    assert f"pinned: demo/small@sha256:{DIGESTS['small']}" in process.stdout.splitlines()
    assert process.stderr.splitlines()[-1].startswith("winnow: 2 of 4 models could not be downloaded: ")

    hub_server.requests.clear()
    process, rows = run_download(rows[0]["pin"], names[2], "demo/small")
    assert process.returncode == 7
    assert [row["state"] for row in rows] == ["cached", "cached", "failed"]
    assert f"pin today's as demo/small@sha256:{DIGESTS['small']}, or" in rows[2]["cause"]
    assert not [request for request in hub_server.requests if request.startswith("GET")]


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

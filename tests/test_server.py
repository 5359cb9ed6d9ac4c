"""The temporary Prefect server that a command starts if none is configured."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from contextvars import copy_context

import httpx
import psutil
import pytest
from prefect.settings import PREFECT_HOME, temporary_settings

from flows.server.ephemeral import EphemeralServer, alone_at_start
from tests.conftest import ROOT
from tests.test_current_folder import hostile_folder

SOAK = "WINNOW_KILLS" in os.environ


@pytest.fixture
def curate(manifest, hears, tmp_path, prefect_home):
    """Start `winnow curate` with a stand-in for a model, and no configured Prefect server.

    It runs in a folder of hostile files; neither the command nor its server imports any of them.
    """
    folder, imported = hostile_folder(tmp_path)
    corpus = manifest({"audio_filepath": "a.wav", "text": "hello there"})
    models = hears(small={"a.wav": "hello there"})
    arguments = ["curate", str(corpus), "--output", str(tmp_path / "run"), "--small", str(models["small"])]

    def start(**variables: str) -> subprocess.Popen[str]:
        environment = os.environ | {"PREFECT_HOME": str(prefect_home), "PREFECT_API_URL": ""} | variables
        line = [sys.executable, "-P", "-m", "cli.app", *arguments]
        return subprocess.Popen(
            line,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    yield start
    assert not imported.exists(), imported.read_text()


def server_of(process: subprocess.Popen[str]) -> psutil.Process:
    for _ in range(600):
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.Error):  # others come and go
                if "flows.server.ephemeral" in child.cmdline():
                    return child
        time.sleep(0.1)
    raise TimeoutError("no server was started")


def test_temporary_server_records_every_state_and_ends_with_the_command(curate, prefect_home, proxy):
    process = curate(HTTP_PROXY=proxy.url, https_proxy=proxy.url, ALL_PROXY=f"socks5://{proxy.url[7:]}")
    server = server_of(process)
    _, log = process.communicate(timeout=240)
    assert process.returncode == 0, log
    assert not server.is_running()
    with sqlite3.connect(prefect_home / "prefect.db") as database:
        assert database.execute("select state_name from flow_run").fetchall() == [("Completed",)]
        tasks = dict(database.execute("select name, state_name from task_run").fetchall())
        reports = database.execute("select count(*) from artifact where key = 'quality-report'").fetchone()
    assert set(tasks.values()) == {"Completed"}
    assert len(tasks) > 5
    assert reports[0] > 0
    assert proxy.requests == []  # nothing on this machine is asked for through a proxy


START_SERVER = "from flows.server.ephemeral import EphemeralServer; EphemeralServer().wait()"


def test_process_killed_while_its_server_starts_leaves_no_server_behind():
    process = subprocess.Popen([sys.executable, "-P", "-c", START_SERVER], cwd=ROOT, start_new_session=True)
    server = server_of(process)
    process.kill()
    process.wait()
    server.wait(timeout=120)


@pytest.mark.soak
def test_server_that_cannot_start_is_explained_in_one_line(curate, tmp_path):
    process = curate(PREFECT_API_DATABASE_CONNECTION_URL="sqlite+aiosqlite:////proc/winnow/prefect.db")
    _, log = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "the temporary Prefect server ended with exit code 3 while it started" in log.splitlines()[-1]
    assert "unable to open database file" in log.splitlines()[-1]
    assert "Traceback" not in log
    assert not (tmp_path / "run").exists()


def states(home) -> list[str]:
    """Return the states of all flow runs in a Prefect home."""
    with suppress(sqlite3.OperationalError), sqlite3.connect(home / "prefect.db") as database:
        return [row[0] for row in database.execute("select state_name from flow_run")]
    return []


@pytest.mark.parametrize(
    ("number", "exit_code", "state"),
    [(signal.SIGINT, 130, "Cancelled"), (signal.SIGKILL, -9, "Crashed")],
)
def test_run_that_a_signal_ends_is_not_left_running(curate, prefect_home, number, exit_code, state):
    """A second signal, as from an impatient user, changes nothing."""
    process = curate()
    server, home = server_of(process), prefect_home
    while states(home) != ["Running"]:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    began = time.monotonic()
    process.send_signal(number)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == exit_code
    server.wait(timeout=30)
    assert time.monotonic() - began < 30
    assert states(home) == [state]
    with sqlite3.connect(home / "prefect.db") as database:
        tasks = database.execute("select name, state_name from task_run").fetchall()
    assert [task for task in tasks if task[1] in ("Pending", "Running", "AwaitingRetry")] == []


@pytest.mark.parametrize("new", [False, *[True] * SOAK], ids=lambda new: "new" if new else "existing")
def test_servers_that_start_at_once_accept_only_their_own_run(new, prefect_home, tmp_path, monkeypatch):
    """Two that create a database at the same time damage it; any user of this machine can connect to a server."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home" if new else prefect_home))
    servers = [EphemeralServer() for _ in range(1 + new)]
    for server in servers:
        server.wait()
    first, *others = servers
    auths = [(None, 401), ("winnow:guessed", 401), (first.auth, 200), *[(other.auth, 401) for other in others]]
    for auth, status in auths:
        credentials = tuple(auth.split(":")) if auth else None
        assert httpx.post(f"{first.api}/flow_runs/filter", json={}, auth=credentials).status_code == status
    for server in servers:
        server.end()


def test_one_server_at_a_time_starts_on_a_home(tmp_path):
    steps = []

    def start() -> None:
        with alone_at_start():
            steps.append("began")
            time.sleep(0.2)
            steps.append("started")

    with temporary_settings({PREFECT_HOME: tmp_path}):
        threads = [threading.Thread(target=copy_context().run, args=(start,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert steps == ["began", "started"] * 2

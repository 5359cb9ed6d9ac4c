"""Dask workers and their scheduler are killed during a run, and one utterance kills the process that decodes it."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import TaskRun

from flows.curate import curate
from flows.server.environment import keep_current_folder_off_path
from tests.conftest import published_rows
from tests.dask_process import DaskProcess
from tests.faults.test_kills import dataset
from tests.in_process import curate as curate_here
from tests.test_current_folder import hostile_folder
from winnow.runs.ledger import read_records
from winnow.runs.verify import verify_run

KILLS = int(os.environ.get("WINNOW_WORKER_KILLS", "1"))
ROWS = 120 if "WINNOW_WORKER_KILLS" in os.environ else 40
POISON = 19

pytestmark = pytest.mark.usefixtures("prefect_server")

DIE_ON_POISON = """
import os, signal, sys

def die(event, arguments):
    if event == "open" and "poison" in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(die)
"""


@pytest.fixture
def corpus(manifest, hears) -> dict[str, Any]:
    """A corpus of shards of four rows with the utterance `poison`; the large model transcribes half of it too."""
    names = [f"{'poison' if i == POISON else i}.wav" for i in range(ROWS)]
    path = manifest(*[{"audio_filepath": name, "duration": 1.0, "text": f"good morning {name}"} for name in names])
    small = {name: f"good {'morning' if i % 2 else 'night'} {name}" for i, name in enumerate(names)}
    models = hears(small=small, large={name: f"good morning {name}" for name in names})
    return {"manifest": path, "shard_hours": 4 / 3600, "gate": {"accept": 0.1}, "max_quarantined": 0.1, **models}


@pytest.fixture
def fatal_utterance(tmp_path, monkeypatch) -> None:
    """Make new Python processes die when they open the file `poison.wav`."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DIE_ON_POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))


def decisions(run: Path) -> list[tuple[Any, ...]]:
    return [
        tuple(row[n] for n in ("id", "pred_text", "wer", "band", "decision", "reason")) for row in published_rows(run)
    ]


def transcription_started(run: Path) -> bool:
    """Tell whether a shard has been transcribed."""
    return any((run / "_stages" / "transcribe-small").glob("*.parquet"))


def workers_used(run: Path) -> set[str]:
    """Return the names of the workers whose transcriptions the ledger records."""
    stages = ("transcribe-small", "transcribe-large")
    return {record["facts"]["worker"] for record in read_records(run).values() if record["stage"] in stages}


def workers_here() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(cmdline(child))]


def cmdline(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


@contextmanager
def random_kills(kill: Callable[[random.Random], bool], seed: int, interval: float) -> Iterator[list[float]]:
    """Call `kill` at random moments during the block, until it has killed KILLS times."""
    pick, stopped, kills = random.Random(seed), threading.Event(), []

    def kill_repeatedly() -> None:
        while len(kills) < KILLS and not stopped.is_set():
            if kill(pick):
                kills.append(time.monotonic())
                stopped.wait(pick.uniform(0.5, 1.5) * interval)
            else:
                stopped.wait(pick.uniform(0, 0.2))

    thread = threading.Thread(target=kill_repeatedly)
    thread.start()
    try:
        yield kills
    finally:
        stopped.set()
        thread.join()


def assert_only_the_poison_differs(run: Path, whole: Path) -> None:
    assert [check.sentence for check in verify_run(run) if not check.holds] == []
    expected = decisions(whole)
    expected[POISON] = (POISON + 1, None, None, None, "quarantine", "WORKER_KILLED")
    assert decisions(run) == expected
    output, undisturbed = dataset(run), dataset(whole)
    same = [name for name in undisturbed if output.get(name) == undisturbed[name]]
    assert len(undisturbed) - len(same) <= 3  # the manifest, and the poison's shard in data and in rejects


def task_runs(run: Path) -> list[TaskRun]:
    """Return the task runs of a flow run."""
    name, runs = FlowRunFilter(name=FlowRunFilterName(like_=str(run))), []
    with get_client(sync_client=True) as client:
        while page := client.read_task_runs(flow_run_filter=name, offset=len(runs), limit=200):
            runs += page
    return runs


def assert_every_task_run_ended(run: Path) -> None:
    """Wait for the server, which records states with a delay."""
    end = time.monotonic() + 60
    while unended := [task.name for task in task_runs(run) if not (task.state and task.state.is_final())]:
        assert time.monotonic() < end, unended
        time.sleep(0.3)
    assert len(task_runs(run)) > ROWS


@pytest.fixture
def hostile(tmp_path, monkeypatch) -> Iterator[None]:
    """Work in a folder of hostile files, as the command does; no process that is started may import one of them."""
    folder, imported = hostile_folder(tmp_path)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    del os.environ["PYTHONSAFEPATH"]
    keep_current_folder_off_path()
    yield
    assert not imported.exists(), imported.read_text()


def test_rows_25_and_26_run_survives_killed_workers_and_a_fatal_utterance(corpus, fatal_utterance, hostile, tmp_path):
    seed = int(os.environ.get("WINNOW_SEED", random.randrange(10**6)))
    run = tmp_path / "run"
    curate_here(**corpus, output=tmp_path / "whole")

    def kill(pick: random.Random) -> bool:
        victims = workers_here()
        if victims and transcription_started(run) and len(workers_used(run)) == 2:
            with suppress(psutil.Error):
                pick.choice(victims).kill()
                return True
        return False

    with random_kills(kill, seed, interval=2) as kills:
        curate(**corpus, output=run, devices="local", dask={"workers": 2})
    print(f"seed {seed}: {len(kills)} kills of workers, one poisonous utterance")
    assert kills
    assert_only_the_poison_differs(run, tmp_path / "whole")
    assert_every_task_run_ended(run)
    assert workers_used(run) == {"cpu:0", "cpu:1"}


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[DaskProcess]]]:
    """A scheduler and two workers, each in a process group of its own, like on three hosts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    here = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    hosts = [DaskProcess("scheduler", *here, "--port", address.rpartition(":")[2])]
    for name in ("cpu:0", "cpu:1"):
        hosts.append(
            DaskProcess("worker", address, *here, "--name", name, "--resources", "CPU=1", "--memory-limit", "0")
        )
    yield address, hosts
    for host in hosts:
        host.end()


@pytest.mark.soak  # tests/faults/test_hosts.py kills a host as well
def test_run_survives_killed_hosts_and_scheduler(corpus, cluster, tmp_path):
    seed = int(os.environ.get("WINNOW_SEED", random.randrange(10**6)))
    address, hosts = cluster
    curate_here(**corpus, output=tmp_path / "whole")

    def kill(pick: random.Random) -> bool:
        return transcription_started(tmp_path / "run") and pick.choice(hosts).kill()

    with random_kills(kill, seed, interval=2) as kills:
        curate(**corpus, output=tmp_path / "run", devices=address)
    print(f"seed {seed}: {len(kills)} kills of hosts")
    assert kills
    assert dataset(tmp_path / "run") == dataset(tmp_path / "whole")
    assert_every_task_run_ended(tmp_path / "run")

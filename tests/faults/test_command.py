"""The real command with Prefect: killed and resumed, refused, stopped by its quarantine limit, without its server."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from tests.conftest import DEMO, ROOT, running_server
from tests.faults.test_kills import dataset
from winnow.runs.ledger import read_records
from winnow.runs.storage import location
from winnow.runs.verify import verify_run

pytestmark = pytest.mark.unmeasured

KILLS = int(os.environ.get("WINNOW_COMMAND_KILLS", "2"))
ROWS = 40

HANG_ON_SLOW = """
import os, sys, time

def hang(event, arguments):
    if event == "open" and "slow" in str(arguments[0]) and "WINNOW_SERVER_LOST" not in os.environ:
        time.sleep(120)

sys.addaudithook(hang)
"""
"""A sitecustomize that stops the process that opens `slow.wav`, unless it continues a run that lost its server."""


@pytest.fixture
def curate_rows(manifest, hears) -> Callable[..., list[object]]:
    """Return the words of a command over ten shards, half of whose rows the large model transcribes too."""
    names = [f"{'slow' if i == ROWS // 2 else i}.wav" for i in range(ROWS)]
    corpus = manifest(*[{"audio_filepath": name, "duration": 1.0, "text": f"good morning {name}"} for name in names])
    small = {name: f"good {'morning' if i % 2 else 'night'} {name}" for i, name in enumerate(names)}
    models = hears(small=small, large={name: f"good morning {name}" for name in names})
    options = ["--small", models["small"], "--large", models["large"], "--shard-hours", 4 / 3600, "--gate.accept", 0.1]
    return lambda output: ["curate", corpus, "--output", output, *options]


@pytest.fixture
def curate_many(curate_rows) -> Callable[..., list[object]]:
    """The same, or at full size the words of a command over the demo's corpus with its models."""
    if "WINNOW_COMMAND_KILLS" not in os.environ:
        return curate_rows
    options = ["--small", DEMO / "small.nemo", "--large", DEMO / "large.nemo", "--trust-unpinned"]
    corpus = DEMO / "corpus" / "manifest.jsonl"
    return lambda output: ["curate", corpus, "--output", output, *options, "--shard-hours", 0.05]


def start_command(*words: object, api: str | None, **options: object) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API")}
    environment |= {"PREFECT_API_URL": api} if api else {}
    line = [sys.executable, "-P", "-m", "cli.app", *map(str, words)]
    return subprocess.Popen(line, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, **options)


def logged_passes(lines: list[str]) -> list[str]:
    """Find the passes in a log that did any work."""
    return re.findall(r"(transcribe (?:small|large) [\d-]+): [\d,]+ utterances", "\n".join(lines))


def committed_passes(run: Path) -> set[str]:
    """Read the passes from the ledger."""
    return {
        f"{r['stage'].replace('-', ' ')} {r['shard']}"
        for r in read_records(run).values()
        if r["stage"] in ("transcribe-small", "transcribe-large")
    }


def wait_for_records(process: subprocess.Popen[str], run: Path, count: int) -> None:
    """Wait until the ledger has so many records, or the process has ended."""
    while process.poll() is None and len(list(run.glob("_ledger/*.json"))) < count:
        time.sleep(0.01)


def test_killed_command_resumes_to_the_same_bytes_and_repeats_no_pass(curate_many, tmp_path, prefect_server):
    whole = start_command(*curate_many(tmp_path / "whole"), api=prefect_server)
    log = whole.communicate(timeout=300)[1]
    assert whole.returncode == 0, log
    passes = committed_passes(tmp_path / "whole")
    assert set(logged_passes(log.splitlines())) == passes
    assert len(passes) > 10
    records = len(read_records(tmp_path / "whole"))
    seed = int(os.environ.get("WINNOW_SEED", random.randrange(10**6)))
    pick = random.Random(seed)
    kills = outputs = shown = 0
    while kills < KILLS:
        run, lines, ended = tmp_path / f"killed{outputs}", [], None
        outputs += 1
        while ended != 0:
            process = start_command(
                *(["resume", run] if (run / "run.json").exists() else curate_many(run)), api=prefect_server
            )
            committed, done = committed_passes(run), len(read_records(run))
            if kills < KILLS and done < records:
                wait_for_records(process, run, pick.randrange(done, records) + 1)
                time.sleep(pick.uniform(0, 0.1))
                process.kill()
            log = process.communicate(timeout=300)[1].splitlines()
            ended = process.returncode
            assert ended in (0, -signal.SIGKILL), f"seed {seed}: {log}"
            assert not committed & set(logged_passes(log)), f"seed {seed}: a committed pass was repeated"
            kills += ended == -signal.SIGKILL
            lines += log
        assert [check.sentence for check in verify_run(run) if not check.holds] == []
        assert dataset(run) == dataset(tmp_path / "whole"), f"seed {seed}"
        printed_passes = logged_passes(lines)
        assert len(printed_passes) == len(set(printed_passes)), (
            f"seed {seed}: a committed pass was repeated: {printed_passes}"
        )
        shown += len(printed_passes)
    print(
        f"seed {seed}: {kills} kills of the command, {outputs} outputs, {shown} passes shown, none twice, bytes equal"
    )


def test_second_command_on_the_same_output_is_refused(curate_rows, tmp_path, prefect_server):
    first = start_command(*curate_rows(tmp_path / "run"), api=prefect_server)
    while not (tmp_path / "run" / "run.json").exists():
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # or it would have ended by then
    second = start_command(*curate_rows(tmp_path / "run"), api=prefect_server)
    log = second.communicate(timeout=120)[1].splitlines()[-1]
    assert second.returncode == 6
    assert f"is in use by corpus.jsonl to {tmp_path / 'run'} (process {first.pid} on {socket.gethostname()})" in log
    first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGTERM)
    start = time.monotonic()
    assert first.wait(timeout=30) == 143
    assert time.monotonic() - start < 30
    states = httpx.post(f"{prefect_server}/flow_runs/filter", json={"sort": "START_TIME_DESC", "limit": 2}).json()
    assert {state["state"]["name"] for state in states} == {"Cancelled", "Failed"}


def final(api: str, kind: str, **query: object) -> list[str]:
    """Return the states of the runs of a kind that match, and fail if one has not ended."""
    runs = httpx.post(f"{api}/{kind}/filter", json=query).raise_for_status().json()
    assert [run["name"] for run in runs if run["state"]["type"] in ("PENDING", "RUNNING", "SCHEDULED")] == []
    return [run["state"]["name"] for run in runs]


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_the_flow_run_and_all_of_its_task_runs(curate_rows, tmp_path, prefect_server, number, exit_code):
    """A second signal changes nothing."""
    process = start_command(*curate_rows(tmp_path / "run"), api=prefect_server)
    while not (tmp_path / "run" / "_stages" / "load").exists():  # a task runs
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    start = time.monotonic()
    process.send_signal(number)
    process.send_signal(number)
    log = process.communicate(timeout=30)[1]
    assert time.monotonic() - start < 30
    assert process.returncode == exit_code
    assert f"resume with the same command, or with `winnow resume {tmp_path / 'run'}`" in log
    newest = {"sort": "START_TIME_DESC", "limit": 1}
    (flow_run,) = httpx.post(f"{prefect_server}/flow_runs/filter", json=newest).json()
    assert flow_run["state"]["name"] == "Cancelled"
    time.sleep(1)  # a late event of a task would be written now
    states = final(prefect_server, "task_runs", flow_runs={"id": {"any_": [flow_run["id"]]}})
    assert set(states) in ({"Cancelled", "Completed"}, {"Completed"}, {"Cancelled"})


def test_run_with_too_much_quarantined_stops_and_resumes_with_a_higher_limit(manifest, hears, tmp_path, prefect_server):
    good = {f"{i}.wav": "hello there" for i in range(5)}
    corpus = manifest(
        *({"audio_filepath": name, "text": text} for name, text in good.items()),
        *({"audio_filepath": f"{i}.wav", "text": None} for i in range(12)),
    )
    words = ["curate", corpus, "--output", tmp_path / "run", "--small", hears(small=good)["small"]]
    stopped = start_command(*words, api=prefect_server)
    log = stopped.communicate(timeout=120)[1].splitlines()[-1]
    assert stopped.returncode == 10
    assert "12 of 17 utterances are quarantined, more than max_quarantined (5.0%) allows: BAD_TEXT 12." in log
    assert not (tmp_path / "run" / "_SUCCESS.json").exists()
    again = start_command("resume", tmp_path / "run", "--max-quarantined", "0.8", api=prefect_server)
    assert "transcribe small 00000: already done" in again.communicate(timeout=120)[1]
    assert again.returncode == 0
    assert json.loads((tmp_path / "run" / "_SUCCESS.json").read_text())["quarantined"] == 12


def test_command_whose_server_is_unreachable_does_nothing(curate_rows, tmp_path):
    start = time.monotonic()
    process = start_command(*curate_rows(tmp_path / "run"), api="http://127.0.0.1:9/api")
    log = process.communicate(timeout=60)[1].splitlines()[-1]
    assert process.returncode == 3
    assert time.monotonic() - start < 40
    assert "no Prefect server at http://127.0.0.1:9/api" in log
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["/proc/winnow", "/dev/full/run"])
def test_output_that_cannot_be_written_is_refused_before_a_model_loads(curate_rows, place, prefect_server):
    process = start_command(*curate_rows(Path(place)), api=prefect_server)
    log = process.communicate(timeout=120)[1].splitlines()[-1]
    assert process.returncode == 2
    assert f"{place}: cannot be written to" in log


def test_run_completes_its_data_when_its_server_dies(curate_rows, tmp_path, prefect_home, monkeypatch):
    run = tmp_path / "run"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HANG_ON_SLOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("PREFECT_HOME", str(prefect_home))
    with running_server(prefect_home, temporary=True) as api:
        process = start_command(*curate_rows(run), api=api)
        for line in process.stderr:
            if "transcribe small 00002" in line:
                break
    killed = time.monotonic()
    rest = process.communicate(timeout=300)[1]
    print(f"server killed: data complete, process gone after {time.monotonic() - killed:.0f} s")
    assert process.returncode == 4, rest
    assert "transcribe small 00002: already done" in rest
    assert rest.splitlines()[-1].startswith(f"winnow: the data is complete; the Prefect server at {api} was lost")
    assert [check.sentence for check in verify_run(location(run)) if not check.holds] == []


def test_planted_secret_appears_nowhere(manifest, write_tone, hears, tmp_path, prefect_server):
    secret = "hunter2-planted"
    url = f"https://ann:{secret}@host/a.wav?token={secret}"
    write_tone("a.wav")
    corpus = manifest(
        {"audio_filepath": "a.wav", "text": "hello there", "source": url},
        {"audio_filepath": url, "text": f"see {url}"},
        f'{{"audio_filepath": "{url}", "text": '.encode(),
        tones=False,
    )
    models = hears(small={"a.wav": "hello there"})
    words = ["curate", corpus, "--output", tmp_path / "run", "--small", models["small"]]
    process = start_command(*words, api=prefect_server, stdout=subprocess.PIPE)
    log = "".join(process.communicate(timeout=120))
    assert process.returncode == 0, log
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    shown = [str(pq.read_table(path).to_pylist()) for path in files if path.suffix == ".parquet"]
    shown += [path.read_text() for path in files if path.suffix != ".parquet"]
    for kind in ("flow_runs", "task_runs", "artifacts", "logs"):
        shown.append(httpx.post(f"{prefect_server}/{kind}/filter", json={"limit": 200}).raise_for_status().text)
    assert len(shown) > 20
    assert [text for text in (log, *shown) if secret in text] == []
    assert "https://***@host/a.wav?token=***" in "".join(shown)

"""The real command with Prefect: killed and resumed, refused, stopped by its quarantine limit, without its server."""

import json
import os
import random
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pyarrow.parquet as pq
import pytest

from flows.server import monitor
from tests.commands import Command
from tests.conftest import DEMO, ROOT, runs_to
from tests.faults.test_kills import dataset
from winnow.runs.ledger import read_records
from winnow.runs.storage import location
from winnow.runs.verify import verify_run

KILLS = int(os.environ.get("WINNOW_COMMAND_KILLS", "2"))
ROWS = 40


def hang_on_slow() -> None:
    """Stop this process when it opens `slow.wav`."""

    def hang(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and "slow" in str(arguments[0]):
            time.sleep(120)

    shorten_patience()
    sys.addaudithook(hang)


def shorten_patience() -> None:
    """Give a server up after seconds."""
    monitor.START_TIMEOUT, monitor.POLL_SECONDS, monitor.REFUSED_TIMEOUT = 3.0, 0.3, 2.0


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


def start_command(*words: object, api: str, first: Callable[[], None] | None = None) -> Command:
    return Command(*words, environment=os.environ | {"PREFECT_API_URL": api}, first=first)


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


def wait_for_records(process: Command, run: Path, count: int) -> None:
    """Wait until the ledger has so many records, or the process has ended."""
    process.wait_for(lambda: process.poll() is not None or len(list(run.glob("_ledger/*.json"))) >= count)


def test_killed_command_resumes_to_the_same_bytes_and_repeats_no_pass(curate_many, tmp_path, prefect_server):
    whole = start_command(*curate_many(tmp_path / "whole"), api=prefect_server)
    code, log = whole.end(timeout=300)
    assert code == 0, log
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
                process.send_signal(signal.SIGKILL)
            ended, text = process.end(timeout=300)
            log = text.splitlines()
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
    first.wait_for((tmp_path / "run" / "run.json").exists)
    first.send_signal(signal.SIGSTOP)  # or it would have ended by then
    second = start_command(*curate_rows(tmp_path / "run"), api=prefect_server)
    code, log = second.end(timeout=120)
    assert code == 6
    holder = f"process {first.pid} on {socket.gethostname()}"
    assert f"is in use by corpus.jsonl to {tmp_path / 'run'} ({holder})" in log.splitlines()[-1]
    first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGTERM)
    assert first.end(timeout=30)[0] == 143
    states = httpx.post(f"{prefect_server}/flow_runs/filter", json=runs_to(tmp_path / "run")).json()
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
    process.wait_for((tmp_path / "run" / "_stages" / "load").exists)  # a task runs
    process.send_signal(number)
    process.send_signal(number)
    code, log = process.end(timeout=30)
    assert code == exit_code
    assert f"resume with the same command, or with `winnow resume {tmp_path / 'run'}`" in log
    (flow_run,) = httpx.post(f"{prefect_server}/flow_runs/filter", json=runs_to(tmp_path / "run")).json()
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
    code, log = stopped.end(timeout=120)
    assert code == 10
    complaint = "12 of 17 utterances are quarantined, more than max_quarantined (5.0%) allows: BAD_TEXT 12."
    assert complaint in log.splitlines()[-1]
    assert not (tmp_path / "run" / "_SUCCESS.json").exists()
    again = start_command("resume", tmp_path / "run", "--max-quarantined", "0.8", api=prefect_server)
    code, log = again.end(timeout=120)
    assert "transcribe small 00000: already done" in log
    assert code == 0
    assert json.loads((tmp_path / "run" / "_SUCCESS.json").read_text())["quarantined"] == 12


def test_command_whose_server_is_unreachable_does_nothing(curate_rows, tmp_path):
    process = start_command(*curate_rows(tmp_path / "run"), api="http://127.0.0.1:9/api", first=shorten_patience)
    code, log = process.end(timeout=40)
    assert code == 3
    assert "no Prefect server at http://127.0.0.1:9/api" in log.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["/proc/winnow", "/dev/full/run"])
def test_output_that_cannot_be_written_is_refused_before_a_model_loads(curate_rows, place, prefect_server):
    process = start_command(*curate_rows(Path(place)), api=prefect_server)
    code, log = process.end(timeout=120)
    assert code == 2
    assert f"{place}: cannot be written to" in log.splitlines()[-1]


@contextmanager
def mortal(api: str) -> Iterator[str]:
    """Yield an address at which a server answers until the end of the block: then it is as dead as a killed one."""
    address, connections = (urlsplit(api).hostname, urlsplit(api).port), []

    def pump(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    class Forwarding(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(address) as server:
                connections.extend([self.request, server])
                back = threading.Thread(target=pump, args=(server, self.request), daemon=True)
                back.start()
                pump(self.request, server)
                back.join()

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Listener(("127.0.0.1", 0), Forwarding) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_address[1]}/api"
        listener.shutdown()
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def test_run_completes_its_data_when_its_server_dies(curate_rows, tmp_path, prefect_server, prefect_home, monkeypatch):
    run = tmp_path / "run"
    monkeypatch.setenv("PREFECT_HOME", str(prefect_home))
    with mortal(prefect_server) as api:
        process = start_command(*curate_rows(run), api=api, first=hang_on_slow)
        process.wait_for(lambda: "transcribe small 00002" in process.log)
    killed = time.monotonic()
    code, rest = process.end(timeout=300)
    print(f"server killed: data complete, process gone after {time.monotonic() - killed:.0f} s")
    assert code == 4, rest
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
    command = [sys.executable, "-P", "-m", "cli.app", *map(str, words)]
    process = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PREFECT_API_URL": prefect_server},
        capture_output=True,
        text=True,
        timeout=240,
    )
    log = process.stdout + process.stderr
    assert process.returncode == 0, log
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    shown = [str(pq.read_table(path).to_pylist()) for path in files if path.suffix == ".parquet"]
    shown += [path.read_text() for path in files if path.suffix != ".parquet"]
    for kind in ("flow_runs", "task_runs", "artifacts", "logs"):
        shown.append(httpx.post(f"{prefect_server}/{kind}/filter", json={"limit": 200}).raise_for_status().text)
    assert len(shown) > 20
    assert [text for text in (log, *shown) if secret in text] == []
    assert "https://***@host/a.wav?token=***" in "".join(shown)

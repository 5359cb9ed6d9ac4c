"""Runs that are killed at any moment, and resumed to the same output."""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.curate import run_curation
from flows.orchestrator import InProcess
from winnow.parameters.curation import Curation
from winnow.runs import ledger
from winnow.runs.json_object import encode_object
from winnow.runs.run_record import load_settings
from winnow.runs.storage import COMMIT_STEPS
from winnow.runs.verify import verify_run

KILLS = int(os.environ.get("WINNOW_KILLS", "5"))
CUTS = [1, 12, 30] if "WINNOW_KILLS" in os.environ else [30]


def curate(settings: Curation) -> None:
    """Run a curation without Prefect, so that it can be killed a thousand times in a few minutes."""
    run_curation(settings, InProcess())


@pytest.fixture(scope="module")
def complete_run(tmp_path_factory):
    """The settings of a complete run: six shards, with rows that are escalated, dropped and quarantined."""
    folder = tmp_path_factory.mktemp("corpus")
    fields = {
        "corpus": lambda i: {"duration": 1.0, "text": f"good morning number {i}"},
        "small": lambda i: {"pred_text": f"good morning number {i if i % 3 else 'none'}"},
        "large": lambda i: {"pred_text": f"good {'morning number' if i % 2 else 'night'} {i}"},
    }
    for name, fields_of in fields.items():
        lines = [json.dumps({"audio_filepath": f"{i}.wav"} | fields_of(i)) for i in range(18)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    for i in range(18):
        soundfile.write(folder / f"{i}.wav", np.zeros(16_000), 16_000)
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write('not json\n{"audio_filepath": "0.wav", "duration": 1.0, "text": "again"}\n')
    models = {role: str(folder / f"{role}.jsonl") for role in ("small", "large")}
    paths = {"manifest": folder / "corpus.jsonl", "output": folder / "complete"}
    settings = Curation(**paths, gate={"accept": 0.1}, shard_hours=3 / 3600, **models)
    curate(settings)
    return settings


@pytest.fixture
def settings(complete_run, tmp_path):
    """The settings of the complete run, with a copy of its output."""
    shutil.copytree(complete_run.output, tmp_path / "complete")
    return complete_run.model_copy(update={"output": str(tmp_path / "complete")})


def dataset(run: Path) -> dict[str, bytes]:
    """Read the files that users take away."""
    files = [*run.glob("data/*"), *run.glob("rejects/*"), run / "manifest.jsonl"]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def die_at(step: str, nth: int) -> None:
    """Have this process killed the n-th time that a commit gets to the step."""
    left = nth

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event == "winnow.commit" and arguments[0] == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def work_and_die(work: Callable[[], object], step: str, nth: int) -> int:
    """Work in a process that is killed the n-th time that a commit gets to the step; return how it ended."""
    if process := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        die_at(step, nth)
        work()
        os._exit(0)
    finally:
        os._exit(1)


def start(settings: Curation, locked: bool = True, die: tuple[str, int] | None = None) -> int:
    """Start a run in a process; with `locked=False` it takes the lock from a run that is in progress."""
    if process := os.fork():
        return process
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if die:
            die_at(*die)
        if not locked:
            (Path(settings.output) / "_lock").unlink(missing_ok=True)  # the other run holds the lock of a lost file
        curate(settings)
        os._exit(0)
    finally:
        os._exit(1)


def exit_code(process: int, seconds: float) -> int | None:
    """Return the process's exit code, or None if it does not end in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(process, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def kill(process: int) -> int:
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def kill_if_running(process: int) -> None:
    with suppress(ChildProcessError, ProcessLookupError):
        kill(process)


def broken_promises(run: Path) -> list[str]:
    return [check.sentence for check in verify_run(run) if not check.holds]


def assert_same_output(settings: Curation, run: Path) -> None:
    assert broken_promises(run) == []
    assert dataset(run) == dataset(Path(settings.output))


def test_two_writers_killed_at_random_moments_write_every_row_once(settings, tmp_path):
    """Without a lock that keeps one out, only put-if-absent protects the output."""
    seed = int(os.environ.get("WINNOW_SEED", random.randrange(10**6)))
    print(f"seed {seed}, {KILLS} kills")
    pick = random.Random(seed)
    kills = outputs = 0
    while kills < KILLS:
        run = tmp_path / f"storm{outputs}"
        storm_settings = settings.model_copy(update={"output": str(run)})
        writers = [start(storm_settings, locked=False), start(storm_settings, locked=False)]
        while kills < KILLS:
            victim = pick.randrange(2)
            code = exit_code(writers[victim], pick.expovariate(1 / 0.4))
            if code == 0:
                break
            if code is None:
                kills += kill(writers[victim]) == -signal.SIGKILL
            writers[victim] = start(storm_settings, locked=False)
        for writer in writers:
            kill_if_running(writer)
        curate(storm_settings)  # the last run, without a rival, removes what the killed ones left
        outputs += 1
        assert_same_output(settings, run)
    print(f"{kills} kills of two competing writers, {outputs} outputs: 0 lost, 0 duplicated, 0 unreadable, bytes equal")


@pytest.mark.parametrize("nth", CUTS)
@pytest.mark.parametrize("step", COMMIT_STEPS)
def test_commit_cut_off_at_any_step_is_repeated(settings, tmp_path, step, nth):
    run = tmp_path / "cut"
    cut = settings.model_copy(update={"output": str(run)})
    assert exit_code(start(cut, die=(step, nth)), 60) == -signal.SIGKILL
    records = len(ledger.record_files(run))
    assert exit_code(start(cut), 60) == 0
    assert_same_output(settings, run)
    assert records < len(ledger.read_records(run))


def test_complete_run_repeats_no_work(settings):
    run = Path(settings.output)
    before = {path: path.read_bytes() for path in ledger.record_files(run)}
    curate(settings)
    assert {path: path.read_bytes() for path in ledger.record_files(run)} == before
    assert json.loads((run / "_SUCCESS.json").read_text())["lines"] == 20


def test_run_with_relative_paths_resumes_from_another_folder_to_the_same_bytes(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(settings.manifest).parent)
    names = {"manifest": "corpus.jsonl", "small": "small.jsonl", "large": "large.jsonl", "audio_root": "."}
    run = tmp_path / "run"
    curate(Curation(**settings.model_dump() | names | {"output": run}))
    before, records = dataset(run), ledger.read_records(run)
    lost = next(key for key, record in records.items() if record["stage"] == "transcribe-small")
    (run / "_ledger" / f"{lost}.json").unlink()
    monkeypatch.chdir(tmp_path)
    curate(load_settings(run))
    assert ledger.read_records(run).keys() == records.keys()
    assert dataset(run) == before


def test_wrong_counts_in_report_and_success_file_are_found(settings):
    run = Path(settings.output)
    for name in ("report.json", "_SUCCESS.json"):
        counts = json.loads((run / name).read_bytes())
        (run / name).write_text(json.dumps(counts | {"kept": counts["kept"] + 1}))
    kept = counts["kept"]
    (run / "_SUCCESS.json").write_bytes(encode_object(counts | {"kept": kept + 1}, indent=2))
    assert broken_promises(run) == [
        "report.json is unchanged",
        f"_SUCCESS.json: kept is {kept + 1}, but {kept} published rows have the decision keep",
    ]


@pytest.mark.parametrize("harm", ["missing", "altered", "truncated"])
def test_damaged_committed_file_is_written_again(settings, harm):
    run = Path(settings.output)
    before = dataset(run)
    for name in (next(run.glob("data/*")), next(run.glob("_stages/transcribe-small/*"))):
        if harm == "missing":
            name.unlink()
        else:
            content = name.read_bytes()
            name.write_bytes(content[: len(content) // 2] if harm == "truncated" else b"x" + content[1:])
    assert broken_promises(run)
    curate(settings)
    assert broken_promises(run) == []
    assert dataset(run) == before
    assert list((run / "_ledger" / "aside").iterdir())

"""Runs that are killed at any instant, and end as if they had not been."""

import json
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.faults.undisturbed import curate
from winnow.parameters.curation import Curation
from winnow.runs import ledger, storage
from winnow.runs.run_dir import load_settings
from winnow.runs.storage import COMMIT_STEPS
from winnow.runs.verify import verify_run

KILLS = int(os.environ.get("WINNOW_KILLS", "40"))
SHARDS = 6


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run of a corpus in six shards, some of it for the large model, some dropped, some broken."""
    folder = tmp_path_factory.mktemp("corpus")
    said = {
        "corpus": lambda i: {"duration": 1.0, "text": f"good morning number {i}"},
        "small": lambda i: {"pred_text": f"good morning number {i if i % 3 else 'none'}"},
        "large": lambda i: {"pred_text": f"good {'morning number' if i % 2 else 'night'} {i}"},
    }
    for name, says in said.items():
        lines = [json.dumps({"audio_filepath": f"{i}.wav"} | says(i)) for i in range(18)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    for i in range(18):
        soundfile.write(folder / f"{i}.wav", np.zeros(16_000), 16_000)
    with (folder / "corpus.jsonl").open("a") as corpus:
        corpus.write('not json\n{"audio_filepath": "0.wav", "duration": 1.0, "text": "again"}\n')
    models = {role: str(folder / f"{role}.jsonl") for role in ("small", "large")}
    whole = {"manifest": folder / "corpus.jsonl", "output": folder / "whole", "gate": {"accept": 0.1}}
    settings = Curation(**whole, shard_hours=3 / 3600, **models)
    curate(settings)
    return settings


@pytest.fixture
def settings(undisturbed, tmp_path):
    """The same, with a copy of what came out."""
    shutil.copytree(undisturbed.output, tmp_path / "whole")
    return undisturbed.model_copy(update={"output": str(tmp_path / "whole")})


def dataset(run: Path) -> dict[str, bytes]:
    """What users take away, byte for byte."""
    files = [*run.glob("data/*"), *run.glob("rejects/*"), run / "manifest.jsonl"]
    return {str(file.relative_to(run)): file.read_bytes() for file in files}


def start(settings: Curation, locks: bool, cut: tuple[str, int] | None = None) -> int:
    """A process of its own that does the run; with `cut` it dies by itself, the n-th time it gets to that step."""
    if process := os.fork():
        return process
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if cut:
            left = [cut[1]]

            def die(step: str, path: Path) -> None:
                left[0] -= step == cut[0]
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            storage.commit_step = die
        curate(settings, locks)
        os._exit(0)
    finally:
        os._exit(1)


def ended(process: int, seconds: float) -> int | None:
    """The process's exit code, if it ends in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (found := os.waitpid(process, os.WNOHANG))[0]:
            return os.waitstatus_to_exitcode(found[1])
        time.sleep(0.002)
    return None


def end(process: int) -> int:
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def end_if_running(process: int) -> None:
    with suppress(ChildProcessError, ProcessLookupError):
        end(process)


def assert_as_if_nothing_were(settings: Curation, run: Path) -> None:
    assert [check.words for check in verify_run(run) if not check.holds] == []
    assert dataset(run) == dataset(Path(settings.output))


def test_two_writers_that_are_killed_at_random_write_every_row_once(settings, tmp_path):
    """The lock taken away: what counts is put-if-absent. The seed is in the message of whatever fails."""
    seed = int(os.environ.get("WINNOW_SEED", random.randrange(10**6)))
    print(f"seed {seed}, {KILLS} kills")
    pick = random.Random(seed)
    kills = outputs = 0
    while kills < KILLS:
        run = tmp_path / f"storm{outputs}"
        stormy = settings.model_copy(update={"output": str(run)})
        writers = [start(stormy, locks=False), start(stormy, locks=False)]
        while kills < KILLS:
            victim = pick.randrange(2)
            code = ended(writers[victim], pick.expovariate(1 / 0.4))
            if code == 0:
                break
            if code is None:
                kills += end(writers[victim]) == -signal.SIGKILL
            writers[victim] = start(stormy, locks=False)
        for writer in writers:
            end_if_running(writer)
        curate(stormy)  # nobody is left: the last one tidies up
        outputs += 1
        assert_as_if_nothing_were(settings, run)
    print(f"{kills} kills of two competing writers, {outputs} outputs: 0 lost, 0 duplicated, 0 unreadable, bytes equal")


@pytest.mark.parametrize("nth", [1, 12, 30])
@pytest.mark.parametrize("step", COMMIT_STEPS)
def test_a_commit_cut_off_at_any_step_is_as_good_as_none(settings, tmp_path, step, nth):
    run = tmp_path / "cut"
    cut = settings.model_copy(update={"output": str(run)})
    assert ended(start(cut, locks=True, cut=(step, nth)), 60) == -signal.SIGKILL
    done = len(list((run / "_ledger").glob("[!.]*.json")))
    assert ended(start(cut, locks=True), 60) == 0
    assert_as_if_nothing_were(settings, run)
    assert done < len(ledger.read_records(run))


def test_a_run_that_is_done_does_nothing_more(settings):
    run = Path(settings.output)
    before = {path: path.read_bytes() for path in run.glob("_ledger/*.json")}
    curate(settings)
    assert {path: path.read_bytes() for path in run.glob("_ledger/*.json")} == before
    assert json.loads((run / "_SUCCESS.json").read_text())["lines"] == 20


def test_a_run_of_relative_names_goes_on_from_another_folder_to_the_same_bytes(settings, tmp_path, monkeypatch):
    folder = settings.manifest.parent
    monkeypatch.chdir(folder)
    names = {"manifest": "corpus.jsonl", "small": "small.jsonl", "large": "large.jsonl", "audio_root": "."}
    asked = Curation(**settings.model_dump() | names | {"output": tmp_path / "run"})
    curate(asked)
    run = tmp_path / "run"
    whole, records = dataset(run), ledger.read_records(run)
    lost = next(key for key, record in records.items() if record["stage"] == "transcribe-small")
    (run / "_ledger" / f"{lost}.json").unlink()
    monkeypatch.chdir(tmp_path)
    curate(load_settings(run))
    assert ledger.read_records(run).keys() == records.keys()
    assert dataset(run) == whole


def test_a_report_and_a_mark_that_count_otherwise_are_found_out(settings):
    run = Path(settings.output)
    for name in ("report.json", "_SUCCESS.json"):
        said = json.loads((run / name).read_bytes())
        (run / name).write_text(json.dumps(said | {"kept": said["kept"] + 1}))
    (found,) = [check.words for check in verify_run(run) if not check.holds]
    assert found == f"_SUCCESS.json says {said['kept'] + 1} kept, and {said['kept']} are"


@pytest.mark.parametrize("harm", ["missing", "altered", "truncated"])
def test_a_committed_file_that_was_harmed_is_made_again(settings, harm):
    run = Path(settings.output)
    good = dataset(run)
    for name in (next(run.glob("data/*")), next(run.glob("_stages/small/*"))):
        if harm == "missing":
            name.unlink()
        else:
            content = name.read_bytes()
            name.write_bytes(content[: len(content) // 2] if harm == "truncated" else b"x" + content[1:])
    assert not all(check.holds for check in verify_run(run))
    curate(settings)
    assert all(check.holds for check in verify_run(run))
    assert dataset(run) == good
    assert list((run / "_ledger" / "aside").iterdir())

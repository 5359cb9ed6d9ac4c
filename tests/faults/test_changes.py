"""Inputs that change while a run reads them: what a digest names is what is read, or the run ends."""

import json
import os
import shutil
from itertools import cycle, product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.curate import run_curation
from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from tests.conftest import published_rows
from winnow.errors import CheckpointError, ManifestError, OutputError
from winnow.parameters.curation import Curation
from winnow.parameters.maintenance import Refilter
from winnow.runs.verify import verify_run

RATE = 16_000


class Interrupting(InProcess):
    """Run a flow in this process, and change something before the first task of a kind."""

    def __init__(self, task_name, change):
        self.task_name, self.change = task_name, change

    def submit(self, task, *arguments):
        if task.fn.__name__ == self.task_name and self.change:
            change, self.change = self.change, None
            change()
        return super().submit(task, *arguments)


def tone(path, seconds=1.0, hertz=440):
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE), RATE)


@pytest.fixture
def settings(manifest, hears, tmp_path):
    """A run of four utterances, of which the large model transcribes two."""
    corpus = manifest(*({"audio_filepath": f"{name}.wav", "text": f"good morning {name}"} for name in "abcd"))
    small = {f"{name}.wav": f"good morning {name}" if name in "ab" else "good night then" for name in "abcd"}
    models = hears(small=small, large={f"{name}.wav": f"good morning {name}" for name in "abcd"})
    return Curation(manifest=corpus, output=tmp_path / "run", shard_hours=2 / 3600, gate={"audit": 0}, **models)


def run_while(settings, task_name, change):
    return run_curation(settings, Interrupting(task_name, change))


def appended(path):
    with path.open("a") as file:
        file.write(json.dumps({"audio_filepath": "a.wav", "text": "one more"}) + "\n")


def truncated(path):
    os.truncate(path, path.stat().st_size - 10)


def replaced(path):
    path.write_bytes(path.read_bytes().replace(b"morning", b"evening"))


CHANGES = [appended, truncated, replaced, os.unlink]
TASKS = ["load_shard", "transcribe_shards", "filter_shard"]
EVERY_PAIR = list(product(CHANGES, TASKS))
PAIRS = EVERY_PAIR if "WINNOW_KILLS" in os.environ else list(zip(CHANGES, cycle(TASKS), strict=False))


@pytest.mark.parametrize(("change", "task_name"), PAIRS)
def test_manifest_that_changes_during_a_run_ends_it_until_it_is_restored(settings, change, task_name):
    before = Path(settings.manifest).read_bytes()
    with pytest.raises(ManifestError, match=r"corpus.jsonl: (changed during the run: restore it|cannot read)"):
        run_while(settings, task_name, lambda: change(Path(settings.manifest)))
    assert not (Path(settings.output) / "_SUCCESS.json").exists()
    Path(settings.manifest).write_bytes(before)
    assert run_curation(settings, InProcess()).kept == 4
    assert all(check.holds for check in verify_run(Path(settings.output)))


def test_manifest_that_is_written_again_unchanged_is_no_fault(settings):
    content = Path(settings.manifest).read_bytes()
    assert run_while(settings, "filter_shard", lambda: Path(settings.manifest).write_bytes(content)).kept == 4


@pytest.mark.parametrize(("task_name", "role"), [("transcribe_shard", "small"), ("transcribe_shards", "large")])
def test_transcripts_replaced_during_a_run_are_not_used(settings, tmp_path, task_name, role):
    path = tmp_path / f"{role}.jsonl"
    with pytest.raises(CheckpointError, match=rf"{role}.jsonl: changed during the run: its sha256 was \w+, now \w+"):
        run_while(settings, task_name, lambda: replaced(path))


def test_transcripts_removed_during_a_run_end_it_in_a_sentence(settings, tmp_path):
    with pytest.raises(CheckpointError, match=r"large.jsonl: cannot be read \(No such file"):
        run_while(settings, "transcribe_shards", (tmp_path / "large.jsonl").unlink)


def louder(path):
    samples, rate = soundfile.read(path)
    soundfile.write(path, 1.5 * samples, rate)


def set_back_in_time(path):
    status = path.stat()
    louder(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def renamed_over(path):
    tone(path.with_name("other.wav"), hertz=880)
    path.with_name("other.wav").replace(path)


def copied(path):
    shutil.copy(path, path.with_name("copy.wav"))
    path.with_name("copy.wav").replace(path)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (louder, ("AUDIO_CHANGED", "another pass decoded other samples")),
        (set_back_in_time, ("AUDIO_CHANGED", "another pass decoded other samples")),
        (renamed_over, ("AUDIO_CHANGED", "another pass decoded other samples")),
        (
            lambda path: tone(path, seconds=3),
            ("AUDIO_CHANGED", "now DURATION_MISMATCH: stated 1.00 s, measured 3.00 s"),
        ),
        (lambda path: path.write_bytes(b"text"), ("AUDIO_CHANGED", "now AUDIO_UNREADABLE: Format not recognised.")),
        (os.unlink, ("AUDIO_MISSING", "no such file")),
        (os.utime, (None, None)),
        (copied, (None, None)),
    ],
    ids=["louder", "times restored", "renamed over", "longer", "no audio", "removed", "touched", "copied"],
)
def test_audio_replaced_between_passes_is_quarantined(settings, tmp_path, change, outcome):
    """Where the file was only copied or touched, both passes have heard the same."""
    run_while(settings, "transcribe_shards", lambda: change(tmp_path / "c.wav"))
    rows = {row["audio_filepath"]: row for row in published_rows(Path(settings.output))}
    assert (rows["c.wav"]["reason"], rows["c.wav"]["detail"]) == outcome
    assert [rows[f"{name}.wav"]["decision"] for name in "abd"] == ["keep"] * 3


def test_audited_row_whose_audio_was_replaced_is_quarantined(settings, tmp_path):
    audited = settings.model_copy(update={"gate": settings.gate.model_copy(update={"audit": 1.0})})
    run_while(audited, "transcribe_shards", lambda: louder(tmp_path / "a.wav"))
    assert {row["audio_filepath"]: row["reason"] for row in published_rows(Path(settings.output))} == {
        "a.wav": "AUDIO_CHANGED",
        **{f"{name}.wav": None for name in "bcd"},
    }


@pytest.mark.parametrize("stage", ["load", "transcribe-small", "score-small", "gate-small"])
def test_stage_file_altered_during_a_run_is_not_read(settings, stage):
    def alter():
        file = next((Path(settings.output) / "_stages" / stage).iterdir())
        file.write_bytes(file.read_bytes().replace(b"good", b"evil"))
        before.append(file)

    before, task_names = (
        [],
        {"load": "transcribe_shard", "transcribe-small": "score_shard", "score-small": "gate_shard"},
    )
    with pytest.raises(OutputError, match="altered since it was written: run the same command again"):
        run_while(settings, task_names.get(stage, "transcribe_shards"), alter)
    assert run_curation(settings, InProcess()).kept == 4


@pytest.mark.parametrize("stage", ["load", "score-large"])
def test_altered_hypotheses_are_not_refiltered(settings, tmp_path, stage):
    run_curation(settings, InProcess())
    file = next((Path(settings.output) / "_stages" / stage).iterdir())
    file.write_bytes(file.read_bytes() + b"x")
    request = Refilter(run=str(Path(settings.output)), output=str(tmp_path / "second"))
    with pytest.raises(OutputError, match=rf"{file.name}: missing or altered since it was written: make it again with"):
        run_refilter(request, InProcess())

"""Demo speech in each form and each place: the cascade decides on every row as on that of a manifest."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from demo.__main__ import pinned
from tests.conftest import DEMO, published_rows
from tests.corpus_forms import FORMS, PLACES, UNSTATED, Rows, bucket, web, write_manifest
from tests.in_process import curate
from winnow.engines.engine import Batch, Checkpoint, Recogniser
from winnow.engines.nemo.engine import NemoEngine
from winnow.engines.registry import ENGINES
from winnow.parameters.engine import EngineOptions
from winnow.runs.verify import verify_run
from winnow.text.hypothesis import Hypothesis

__all__ = ["bucket", "web"]  # fixtures

WHOLE = bool(os.environ.get("WINNOW_FORMS"))
CASES = [
    pytest.param(place, write, id=f"{where}-{name}")
    for number, (name, write) in enumerate(FORMS.items())
    for turn, (where, place) in enumerate(PLACES.items())
    if WHOLE or number % len(PLACES) == turn
]
"""Each form in one of the places; in all of them, with the whole demo corpus, if WINNOW_FORMS is set."""


@dataclass
class RemembersSamples:
    """A model that transcribes the same samples, to be compared with the same texts, only once."""

    model: Recogniser
    known: dict[Any, Hypothesis] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def transcribe(self, batches: list[Batch]) -> list[Hypothesis]:
        keys = [(clip.samples.tobytes(), request.texts) for batch in batches for request, clip in batch]
        if any(key not in self.known for key in keys):
            self.known |= zip(keys, self.model.transcribe(batches), strict=True)
        return [self.known[key] for key in keys]


@dataclass
class RemembersModels(NemoEngine):
    """NeMo's checkpoints, loaded once for all runs of this module."""

    models: dict[Any, RemembersSamples] = field(default_factory=dict)

    def load(self, checkpoint: Checkpoint, options: EngineOptions) -> Recogniser:
        key = checkpoint.sha256, options
        if key not in self.models:
            self.models[key] = RemembersSamples(super().load(checkpoint, options))
        return self.models[key]


def demo_rows() -> dict[str, dict[str, Any]]:
    """Return the rows of the demo corpus that every form can hold, by the names of their files.

    Lines that are not JSON are of manifests alone, as are a text of null, and slices that begin after the end.
    """
    found = {}
    for line in (DEMO / "corpus" / "manifest.jsonl").read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        name = Path(row.get("audio_filepath", "")).name
        if name and row["text"] and row.get("duration", 0) > 0 and not row.get("offset") and name not in found:
            found[name] = {key: row[key] for key in ("audio_filepath", "duration", "text")} | {"lang": "en"}
    return found


def write_slices(folder: Path, rows: dict[str, dict[str, Any]]) -> Rows:
    """Write a call with a speaker on each channel, and a recording of two sentences; return their rows."""
    files = [soundfile.read(DEMO / "corpus" / "audio" / name)[0] for name in ("120.flac", "276.flac")]
    first, second = (samples[: len(samples) // 16 * 16] for samples in files)  # whole milliseconds
    call = np.zeros((max(len(first), len(second)), 2))
    call[: len(first), 0], call[: len(second), 1] = first, second
    soundfile.write(folder / "audio" / "call.wav", call, 16_000)
    soundfile.write(folder / "audio" / "long.flac", np.concatenate([first, second]), 16_000)
    middle, seconds = len(first) / 16_000, [len(first) / 16_000, len(second) / 16_000]
    true, wrong = "set the door to fifty seven", rows["276.flac"]["text"]
    call_row = {"audio_filepath": "audio/call.wav", "duration": len(call) / 16_000, "lang": "en"}
    long_row = {"audio_filepath": "audio/long.flac", "lang": "en"}
    return [
        call_row | {"channel": 0, "text": true},
        call_row | {"channel": 1, "text": wrong},
        long_row | {"offset": 0.0, "duration": seconds[0], "text": true},
        long_row | {"offset": middle, "duration": seconds[1], "text": wrong},
    ]


SLICE = "opus.opus 002.ogg 005.ogg 031.ogg 095.ogg 214.ogg 004.ogg 216.flac stereo.ogg cut.wav".split()
CUT_OFF = {"DURATION_MISMATCH": "BAD_HEADER"}
BROKEN = {"missing.wav": "AUDIO_MISSING", "page.wav": "AUDIO_UNREADABLE", "blip.wav": "TOO_SHORT"}


def write_demo(folder: Path) -> Rows:
    """Put demo speech into a folder and return its rows: of each fate some, with slices and channels."""
    rows = demo_rows()
    names = [name for name in rows if name not in BROKEN] if WHOLE else SLICE
    (folder / "audio").mkdir()
    for name in [*names, "page.wav", "blip.wav"]:
        if (DEMO / "corpus" / "audio" / name).exists():
            shutil.copy(DEMO / "corpus" / "audio" / name, folder / "audio")
    quoted = {"002.ogg": rows["002.ogg"]["text"].replace("table", '"table"')}
    good = [rows[name] | {"text": quoted.get(name, rows[name]["text"])} for name in names]
    broken = [rows[name] for name in BROKEN]
    return [*good, *write_slices(folder, rows), *broken, good[1] | {"text": "?!"}]


@pytest.fixture(scope="module", autouse=True)
def models() -> Iterator[None]:
    """Transcribe by the demo's checkpoints, each sound once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "nemo", RemembersModels())
        yield


def run_cascade(corpus: str | Path, output: Path) -> Any:
    """Run it in one shard, also where no length is stated: errors are planted with the words of a shard."""
    return curate(manifest=corpus, output=output, small=pinned("small"), large=pinned("large"), shard_hours=2.0)


def decided(run: Path, unstated: tuple[str, ...] = ()) -> list[tuple]:
    """Return what became of each row; a file that is cut off is only known by its header where no length is stated."""
    names = "id text duration lang decision reason pred_text wer small_pred_text large_pred_text".split()
    rows = published_rows(run)
    if "duration" in unstated:
        rows = [row | {"reason": CUT_OFF.get(row["reason"], row["reason"])} for row in rows]
    stated = [[row.get(name) for name in names if name not in unstated] for row in rows]
    return [tuple(" ".join(value.split()) if isinstance(value, str) else value for value in row) for row in stated]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, models: None) -> Path:
    """The run over the rows as a manifest."""
    folder = tmp_path_factory.mktemp("expected")
    run_cascade(write_manifest(folder, write_demo(folder)), folder / "run")
    return folder / "run"


def test_demo_speech_has_rows_of_every_fate(expected):
    rows = published_rows(expected)
    assert {row["decision"] for row in rows} == {"keep", "drop", "quarantine"}
    assert {row["band"] for row in rows} >= {"accept", "escalate", "reject", None}
    assert [row["reason"] for row in rows[-4:-1]] == list(BROKEN.values())


@pytest.mark.parametrize(("place", "write"), CASES)
def test_decisions_are_those_of_the_same_rows_as_a_manifest(tmp_path, expected, place: Callable, write, request):
    corpus = place(tmp_path, write, write_demo(tmp_path), request)
    run_cascade(corpus, tmp_path / "run")
    unstated = UNSTATED.get(write, ())
    assert decided(tmp_path / "run", unstated) == decided(expected, unstated)
    assert [check.sentence for check in verify_run(tmp_path / "run") if not check.holds] == []

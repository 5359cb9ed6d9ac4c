"""Rows 8 to 17 of the table of faults: bad audio has its reason and affects no other utterance of a real model."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from tests.conftest import DEMO
from tests.test_audio import MEMORY, ten_hours, with_frame_count
from winnow.audio.decode import load_clip
from winnow.audio.measurements import BadAudio
from winnow.engines.engine import Checkpoint
from winnow.engines.inference import transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.models.passes import Pass
from winnow.models.transcription import transcribe
from winnow.parameters.engine import EngineOptions
from winnow.schema import QUARANTINE_REASONS, UTTERANCE, select_columns

RATE = 16_000
MUTATIONS = int(os.environ.get("WINNOW_MUTATIONS", "100"))
GOOD = 20

Row = dict[str, Any]
Answer = tuple[str | None, str | None, str | None]
"""The text, the reason and the detail."""


@pytest.fixture(scope="module")
def model(demo_small):
    return get_model(demo_small, EngineOptions())


@pytest.fixture
def root(tmp_path):
    """The audio root of the shard; the folder above it has audio that must not be opened."""
    (tmp_path / "audio").mkdir()
    return tmp_path / "audio"


@pytest.fixture
def good(root):
    """Utterances of the demo corpus, copied into the root."""
    rows = []
    for line in (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines():
        if line.startswith("{") and '"audio/0' in line:
            row = json.loads(line)
            copy = shutil.copy(DEMO / "corpus" / row["audio_filepath"], root)
            rows.append({"path": str(copy), "duration": row["duration"]})
    return rows[:GOOD]


def transcribe_rows(rows: list[Row], model: Any, root: Path | None) -> list[Answer]:
    """Return the hypothesis, reason and detail of each row."""
    shard = select_columns(pa.Table.from_pylist([{"id": i, **row} for i, row in enumerate(rows)], UTTERANCE), UTTERANCE)
    stand_in = Checkpoint(name="model", path=Path("model.nemo"), family="ctc", sha256="")
    small_pass = Pass(role="small", checkpoint=stand_in, options=EngineOptions(), root=root and str(root))
    table, _ = transcribe(shard, small_pass, lambda requests: transcribe_requests(model, requests, EngineOptions()))
    return list(zip(*(table[name].to_pylist() for name in ("small_pred_text", "reason", "detail")), strict=True))


def interleave(good: list[Row], bad: list[Row]) -> list[Row]:
    """Return the good rows spread evenly among the bad ones."""
    return [row for _, row in sorted([*with_positions(good), *with_positions(bad)], key=lambda item: item[0])]


def with_positions(rows: list[Row]) -> list[tuple[float, Row]]:
    return [((i + 0.5) / len(rows), row) for i, row in enumerate(rows)]


def outcomes_among_good(good: list[Row], bad: list[Row], model: Any, root: Path | None) -> list[Answer]:
    """Return the outcome of the bad rows, after checking that every good row has the same outcome without them."""
    rows = interleave(good, bad)
    answers = dict(zip(map(id, rows), transcribe_rows(rows, model, root), strict=True))
    assert [answers[id(row)] for row in good] == transcribe_rows(good, model, root)
    return [answers[id(row)] for row in bad]


# the rows of each fault: file, offset, stated duration, reason, and detail unless it depends on an encoder
NO_FILE, NO_FORMAT, OUTSIDE = "no such file", "Format not recognised.", "leads out of the audio root"


def write_links(root: Path, write_tone: Callable[..., Path]) -> None:
    """Row 8: ways out of the root, and entries of it that are not files."""
    write_tone("outside.wav")
    (root / "link.wav").symlink_to(root.parent / "outside.wav")
    (root / "folder-link").symlink_to(root.parent)
    (root / "device.wav").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.wav")
    listening = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(root)  # the path of a socket is limited to about 100 characters
    listening.bind("socket.wav")
    os.chdir(here)
    listening.close()


ROW_8 = [
    ("link.wav", None, None, "PATH_OUTSIDE_ROOT", OUTSIDE),
    ("folder-link/outside.wav", None, None, "PATH_OUTSIDE_ROOT", OUTSIDE),
    ("../outside.wav", None, None, "PATH_OUTSIDE_ROOT", OUTSIDE),
    ("../not-there.wav", None, None, "PATH_OUTSIDE_ROOT", OUTSIDE),
    ("/dev/zero", None, None, "PATH_OUTSIDE_ROOT", OUTSIDE),
    ("device.wav", None, None, "PATH_OUTSIDE_ROOT", OUTSIDE),
    ("pipe.wav", None, None, "PATH_OUTSIDE_ROOT", "a pipe"),
    ("socket.wav", None, None, "PATH_OUTSIDE_ROOT", "a socket"),
]


def write_truncated(root: Path, write_tone: Callable[..., Path]) -> None:
    """Row 10: the first halves of files of six seconds."""
    for name in ("cut.wav", "cut.ogg", "cut.mp3"):
        whole = write_tone(f"audio/{name}", seconds=6)
        whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    write_tone("audio/one.wav")
    write_tone("audio/one.flac")


ROW_10 = [
    ("cut.wav", None, 6.0, "DURATION_MISMATCH", "stated 6.00 s, measured 3.00 s"),
    ("cut.ogg", None, 6.0, "DURATION_MISMATCH", None),
    ("cut.mp3", None, 6.0, "DURATION_MISMATCH", None),
    ("one.wav", None, 1.2, "DURATION_MISMATCH", "stated 1.20 s, measured 1.00 s"),
    ("one.flac", None, 0.8, "DURATION_MISMATCH", "stated 0.80 s, measured 1.00 s"),
    ("one.flac", 0.5, 1.0, "DURATION_MISMATCH", "stated 1.00 s, measured 0.50 s"),
]

ROW_11 = [
    ("one.wav", 1.0, 0.5, "BAD_OFFSET", "offset 1.00 s in a file of 1.00 s"),
    ("one.flac", 7.0, 1.0, "BAD_OFFSET", "offset 7.00 s in a file of 1.00 s"),
    ("one.wav", -1.0, 0.5, "BAD_OFFSET", "offset -1.00 s in a file of 1.00 s"),
    ("one.wav", 1e12, None, "BAD_OFFSET", "offset 1000000000000.00 s in a file of 1.00 s"),
]


def write_missing(root: Path, _: Callable[..., Path]) -> None:
    """Rows 12 and 14: files that are missing or cannot be reached."""
    (root / "dangling.wav").symlink_to(root / "nowhere.wav")
    (root / "loop.wav").symlink_to(root / "loop.wav")


ROWS_12_14 = [
    ("missing.wav", None, 1.0, "AUDIO_MISSING", NO_FILE),
    ("dangling.wav", None, None, "AUDIO_MISSING", NO_FILE),
    ("one.wav/a.wav", None, None, "AUDIO_MISSING", NO_FILE),
    ("loop.wav", None, None, "AUDIO_IO", "ELOOP: Too many levels of symbolic links"),
    ("a" * 300, None, None, "AUDIO_IO", "ENAMETOOLONG: File name too long"),
]


def write_garbage(root: Path, write_tone: Callable[..., Path]) -> None:
    """Row 13: what no decoder knows, or what it gives up on."""
    (root / "empty.flac").touch()
    (root / "page.wav").write_text("<!doctype html><title>404</title>")
    (root / "noise.mp3").write_bytes(bytes(range(1, 256)) * 200)
    (root / "folder.wav").mkdir()
    unknown = bytearray(write_tone("audio/codec.wav").read_bytes())
    unknown[20:22] = b"\x77\x77"  # the codec's number
    (root / "codec.wav").write_bytes(unknown)
    whole = write_tone("audio/lost.flac", seconds=6)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


ROW_13 = [
    ("empty.flac", None, None, "AUDIO_UNREADABLE", NO_FORMAT),
    ("page.wav", None, 1.0, "AUDIO_UNREADABLE", NO_FORMAT),
    ("noise.mp3", None, None, "AUDIO_UNREADABLE", NO_FORMAT),
    ("folder.wav", None, None, "AUDIO_UNREADABLE", "a folder"),
    ("codec.wav", None, None, "AUDIO_UNREADABLE", "Error in WAV/W64/RF64 file. Malformed 'fmt ' chunk."),
    ("lost.flac", None, 6.0, "AUDIO_UNREADABLE", "Error : flac decoder lost sync."),
]


def write_extreme(root: Path, write_tone: Callable[..., Path]) -> None:
    """Row 15: no length that a model should hear, no format that speech has, headers that lie."""
    write_tone("audio/blip.wav", seconds=0.05)
    write_tone("audio/nothing.wav", seconds=0)
    write_tone("audio/long.ogg", seconds=121)
    hours = ten_hours(root / "hours.flac")
    with_frame_count(shutil.copy(hours, root / "hours-of-unknown-length.flac"), 0)
    with_frame_count(shutil.copy(hours, root / "hours-that-claim-a-second.flac"), 4_000)
    with_frame_count(write_tone("audio/huge.flac"), 2**36 - 1)
    with_frame_count(write_tone("audio/more.wav"), 64_000)
    with_frame_count(write_tone("audio/none.wav"), 0)
    write_tone("audio/slow.wav", rate=1_000)
    write_tone("audio/fast.wav", rate=400_000)
    write_tone("audio/crowd.wav", channels=9)


ROW_15 = [
    ("blip.wav", None, None, "TOO_SHORT", "0.050 s"),
    ("nothing.wav", None, None, "TOO_SHORT", "0.000 s"),
    ("one.wav", 0.95, None, "TOO_SHORT", "0.050 s"),
    ("long.ogg", None, None, "TOO_LONG", "more than 120 s"),
    ("hours.flac", None, None, "TOO_LONG", "more than 120 s"),
    ("hours-of-unknown-length.flac", None, 5.0, "TOO_LONG", "more than 120 s"),
    ("hours-that-claim-a-second.flac", None, 1.0, "BAD_HEADER", None),
    ("huge.flac", None, 1.0, "BAD_HEADER", "the header states 4294967.30 s, the file has 1.00 s"),
    ("more.wav", None, 1.0, "BAD_HEADER", "the header states 64000 bytes, the file has 32000"),
    ("none.wav", None, None, "BAD_HEADER", "32000 of 32044 bytes come after the last frame"),
    ("slow.wav", None, None, "BAD_FORMAT", "1000 Hz, channels: 1"),
    ("fast.wav", None, None, "BAD_FORMAT", "400000 Hz, channels: 1"),
    ("crowd.wav", None, None, "BAD_FORMAT", "16000 Hz, channels: 9"),
]


def write_undefined(root: Path, _: Callable[..., Path]) -> None:
    """Row 16: one sample that is not finite, in one of two channels."""
    for name, value in {"nan": np.nan, "inf": np.inf, "minus": -np.inf, "huge": 1e30}.items():
        samples = np.zeros((RATE, 2), np.float32)
        samples[RATE // 2, 1] = value
        soundfile.write(root / f"{name}.wav", samples, RATE, subtype="FLOAT")


ROW_16 = [
    ("nan.wav", None, None, "NONFINITE_AUDIO", "samples of nan"),
    ("inf.wav", None, 1.0, "NONFINITE_AUDIO", "samples of inf"),
    ("minus.wav", None, None, "NONFINITE_AUDIO", "samples of inf"),
    ("huge.wav", None, None, "NONFINITE_AUDIO", "samples of 1e+30"),
]

NAMED = [*ROW_8, *ROW_10, *ROW_11, *ROWS_12_14, *ROW_13, *ROW_15, *ROW_16]


def test_each_bad_file_has_its_reason_and_affects_no_other(root, write_tone, good, model):
    for make in (write_links, write_truncated, write_missing, write_garbage, write_extreme, write_undefined):
        make(root, write_tone)
    bad = [{"path": str(root / name), "offset": offset, "duration": stated} for name, offset, stated, _, _ in NAMED]
    outcomes = outcomes_among_good(good, bad, model, root)
    assert all(detail for *_, detail in outcomes)
    known = [(*rest, detail if row[-1] else None) for (*rest, detail), row in zip(outcomes, NAMED, strict=True)]
    assert known == [(None, reason, detail) for *_, reason, detail in NAMED]
    print(f"{len(NAMED)} broken audio files with their reasons: no good neighbour lost")


@pytest.mark.skipif(not os.path.exists(MEMORY), reason="needs /proc")  # noqa: PTH110
def test_disk_errors_and_devices_affect_no_other_file(root, good, model):
    for name in ("a.wav", "b.flac", "c.ogg"):
        (root / name).symlink_to(MEMORY)
    bad = [{"path": str(root / name), "duration": 1.0} for name in ("a.wav", "b.flac", "c.ogg")]
    bad += [{"path": device} for device in ("/dev/zero", "/dev/null")]
    assert outcomes_among_good(good, bad, model, root=None) == [
        *[(None, "AUDIO_IO", "EIO: Input/output error")] * 3,
        *[(None, "PATH_OUTSIDE_ROOT", "a device")] * 2,
    ]


def test_silence_is_transcribed_and_measured(root, write_tone, good, model):
    soundfile.write(root / "still.wav", np.zeros(2 * RATE), RATE)
    soundfile.write(root / "hush.flac", 1e-4 * np.random.default_rng(0).standard_normal(RATE), RATE)
    still = [{"path": str(root / name)} for name in ("still.wav", "hush.flac")]
    outcomes = outcomes_among_good(good, still, model, root)
    assert [(reason, detail) for _, reason, detail in outcomes] == [(None, None)] * 2
    assert [load_clip(row["path"], None, None, RATE, 60).stats["silent"] for row in still] == [1.0, 1.0]


def mutate(whole: bytes, other: bytes, dice: np.random.Generator) -> bytes:
    """Return a file as a failing disk, a cut connection or a lost chunk would leave it."""
    data = bytearray(whole)
    start, length = dice.integers(len(data)), int(dice.integers(1, len(data) // 2))
    match dice.integers(6):
        case 0:  # flipped anywhere
            for at in dice.integers(len(data), size=dice.integers(1, 50)):
                data[at] ^= 1 << dice.integers(8)
        case 1:  # overwritten in the header
            for at in dice.integers(min(100, len(data)), size=dice.integers(1, 6)):
                data[at] = dice.integers(256)
        case 2:  # truncated
            del data[start:]
        case 3:  # a piece is missing
            del data[start : start + length]
        case 4:  # a piece of noise
            data[start : start + length] = dice.bytes(length)
        case _:  # a piece of another file
            data[start:start] = other[start % len(other) :][:length]
    return bytes(data)


def is_transcribed_or_explained(row: Row) -> bool:
    """Tell whether a file gives finite samples or a known reason in words; any other error is raised."""
    try:
        clip = load_clip(row["path"], None, row["duration"], RATE, 60, delays=())
    except BadAudio as problem:
        return problem.reason in QUARANTINE_REASONS and bool(problem.detail)
    return bool(np.isfinite(clip.samples).all())


def open_descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


def test_mutated_files_affect_no_other_file(root, good, model):
    """Transcribe WINNOW_MUTATIONS files; each is made from its own seed, after which it is named."""
    speech, _ = soundfile.read(good[0]["path"], frames=RATE)
    wholes = []
    for name, options in {"a.wav": {}, "b.flac": {}, "c.ogg": {}, "d.ogg": {"subtype": "OPUS"}}.items():
        soundfile.write(root / name, speech, RATE, **options)
        wholes.append(root / name)
    bad = []
    for seed in range(MUTATIONS):
        dice = np.random.default_rng(seed)
        whole, other = dice.choice(wholes, 2)
        path = root / f"seed-{seed}{whole.suffix}"
        path.write_bytes(mutate(whole.read_bytes(), other.read_bytes(), dice))
        bad.append({"path": str(path), "duration": 1.0 if seed % 2 else None})
    before = open_descriptors()
    assert [row for row in bad if not is_transcribed_or_explained(row)] == []
    assert open_descriptors() == before
    outcomes = outcomes_among_good(good, bad, model, root)
    lost = [
        (row, answer) for row, answer in zip(bad, outcomes, strict=True) if (answer[0] is None) == (answer[1] is None)
    ]
    assert not lost
    assert not [row for row, (_, reason, _) in zip(bad, outcomes, strict=True) if reason == "MODEL_ERROR"]
    print(f"{len(bad)} mutated audio files, seeds 0 to {MUTATIONS - 1}: no good neighbour lost")

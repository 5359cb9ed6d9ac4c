"""Copies of audio: what is alike although it is encoded otherwise, and what rules make of it."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import published_rows
from tests.in_process import curate, ensemble
from tests.test_listening import refilter
from winnow.audio.decode import resample
from winnow.listening import copies
from winnow.listening.copies import Copies, describe
from winnow.listening.measure import RATE, Sound, Utterances, pack
from winnow.runs import ledger
from winnow.runs.verify import verify_run


def babble(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Return noise whose bands come and go at random several times a second, like those of speech."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.normal(0, 1, int(seconds * RATE)))
    bands, at = np.array_split(np.arange(4_000 * seconds, dtype=int), 6), np.linspace(0, 1, int(seconds * RATE))
    parts = []
    for band in bands:
        only = np.zeros_like(spectrum)
        only[band] = spectrum[band]
        loudness = np.interp(at, np.linspace(0, 1, int(5 * seconds)), random.uniform(0, 1, int(5 * seconds)) ** 3)
        parts.append(np.fft.irfft(only, len(at)) * loudness)
    return (0.1 * np.sum(parts, axis=0)).astype(np.float32)


def encoded(samples: np.ndarray, form: str, subtype: str, rate: int = RATE) -> np.ndarray:
    """Return samples after they were written in this form."""
    file = io.BytesIO()
    soundfile.write(file, resample(samples, RATE, rate) if rate != RATE else samples, rate, subtype, format=form)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return resample(decoded, rate, RATE) if rate != RATE else decoded


COPIES = {
    "gain": lambda samples: 0.2 * samples,
    "mp3": lambda samples: encoded(samples, "MP3", "MPEG_LAYER_III"),
    "vorbis": lambda samples: encoded(samples, "OGG", "VORBIS"),
    "telephone": lambda samples: encoded(samples, "WAV", "ULAW", 8_000),
    "noise": lambda samples: samples + np.random.default_rng(9).normal(0, 0.003, len(samples)).astype(np.float32),
}


@pytest.mark.parametrize("name", COPIES)
def test_copy_is_alike_however_it_is_encoded(name):
    samples = babble(1)
    assert describe(samples) @ describe(COPIES[name](samples)) > 0.97


def test_other_audio_is_not_alike():
    vectors = np.stack([describe(babble(seed)) for seed in range(30)])
    assert np.triu(vectors @ vectors.T, 1).max() < 0.8


@pytest.mark.parametrize(
    "samples", [np.zeros(RATE), np.full(RATE, 0.5), np.full(RATE, np.nan), np.ones(100), np.empty(0)]
)
def test_audio_in_which_nothing_changes_has_no_description(samples):
    assert Copies().measure(type("Sound", (), {"samples": samples.astype(np.float32)})) == {}


def related(vectors: list, **columns: list) -> list[tuple]:
    count = len(vectors)
    lines = list(range(1, count + 1))
    given = {"places": lines, "seconds": [3.0] * count, "samples": [str(line) for line in lines]} | columns
    run = Utterances(lines=lines, speakers=[None] * count, **given)
    found = Copies().relate(run, [vector if vector is None else pack(vector) for vector in vectors])
    return list(zip(np.round(found["copy_similarity"], 2).tolist(), found["copy_of"], strict=True))


A, B = np.float32([1, 0]), np.float32([0.8, 0.6])
NOTHING = (0.0, None)


@pytest.mark.parametrize(
    ("vectors", "columns", "found"),
    [
        ([A, B, A], {}, [NOTHING, (0.8, 1), (1.0, 1)]),
        ([A, -A], {}, [NOTHING, NOTHING]),
        ([A, A], {"places": [1, 1], "samples": ["x", "x"]}, [NOTHING, NOTHING]),
        ([A, A], {"seconds": [3.0, 3.2]}, [NOTHING, NOTHING]),
        ([A, A], {"seconds": [30.2, 30.0]}, [NOTHING, (1.0, 1)]),
        ([None, A, None], {"samples": ["x", "y", "x"]}, [NOTHING, NOTHING, (1.0, 1)]),
        ([None], {}, [NOTHING]),
        ([], {}, []),
    ],
)
def test_each_utterance_is_compared_with_earlier_ones_of_its_length(vectors, columns, found):
    assert related(vectors, **columns) == found


def test_only_the_same_samples_have_a_similarity_of_1():
    run = Utterances([1, 2, 3], [1, 2, 3], [1.0] * 3, ["x", "y", "x"], [None] * 3)
    assert Copies().relate(run, [pack(A)] * 3)["copy_similarity"] == [0.0, pytest.approx(copies.HIGHEST), 1.0]


def test_blocks_do_not_change_the_result(monkeypatch):
    random = np.random.default_rng(0)
    vectors = list(random.normal(0, 1, (40, 3)).astype(np.float32))
    vectors = [vector / np.linalg.norm(vector) for vector in vectors]
    seconds = random.uniform(1, 1.3, 40).tolist()
    whole = related(vectors, seconds=seconds)
    monkeypatch.setattr(copies, "BLOCK", 7)
    assert related(vectors, seconds=seconds) == whole


@pytest.fixture
def corpus(tmp_path, manifest, hears):
    """Three recordings; `b` is `a` as FLAC, `d` is `c` encoded otherwise, and one file is missing."""
    first, second, third = ((32_768 * babble(seed)).astype(np.int16) for seed in (1, 2, 3))
    written = {"a.wav": first, "b.flac": first, "c.wav": second, "d.ogg": second, "e.wav": third}
    for name, samples in written.items():
        soundfile.write(tmp_path / name, samples, RATE)
    rows = [{"audio_filepath": name, "duration": 3.0, "text": "one"} for name in (*written, "f.wav")]
    models = hears(small={row["audio_filepath"]: "one" for row in rows})
    return {"manifest": manifest(*rows, tones=False), "output": tmp_path / "out", "shard_hours": 6 / 3600, **models}


KEEP_FIRST = {"rules": ["copy_similarity < 0.95"]}


def dropped(run: Path) -> dict[int, int]:
    """Return the lines that were dropped, and those that they are copies of."""
    return {row["id"]: row["copy_of"] for row in published_rows(run) if row["decision"] == "drop"}


def test_copies_in_other_shards_are_dropped(corpus, tmp_path):
    report = curate(**corpus, filter=KEEP_FIRST)
    assert (report.kept, report.dropped, report.quarantined) == (3, 2, 1)
    rows = sorted(published_rows(tmp_path / "out"), key=lambda row: row["id"])
    assert dropped(tmp_path / "out") == {2: 1, 4: 3}
    assert [row["copy_similarity"] for row in rows][1::4] == [1.0, None]
    assert "copies_vector" not in rows[0]
    assert all(promise.holds for promise in verify_run(tmp_path / "out"))


@pytest.fixture
def run(corpus, tmp_path):
    """A run of the corpus that measured nothing."""
    curate(**corpus)
    return tmp_path / "out"


def test_copies_are_found_later_as_in_the_run_itself(run, tmp_path):
    later = refilter(run, tmp_path / "later", filter=KEEP_FIRST, listen="copies")
    assert dropped(later) == {2: 1, 4: 3}
    assert all(promise.holds for promise in verify_run(later))


class Killed(BaseException):
    """What ends a run at once, as a signal does."""


@pytest.mark.parametrize("stage", ["listen-copies", "relate"])
def test_run_that_is_killed_between_records_ends_as_another_and_decodes_nothing_twice(
    run, stage, tmp_path, monkeypatch
):
    whole, measured, committed = refilter(run, tmp_path / "whole", filter=KEEP_FIRST), [], []

    def commit(folder: Path, key: str, files: list[Path], original=ledger.commit, **facts: object):
        committed.append(facts["stage"])
        if committed.count(stage) == 2 or facts["stage"] == stage == "relate":
            raise Killed
        return original(folder, key, files, **facts)

    def measure(self, sound: Sound, original=Copies.measure):
        measured.append(len(sound.samples))
        return original(self, sound)

    monkeypatch.setattr(Copies, "measure", measure)
    with monkeypatch.context() as killing:
        killing.setattr(ledger, "commit", commit)
        with pytest.raises(Killed):
            refilter(run, tmp_path / "later", filter=KEEP_FIRST)
    later = refilter(run, tmp_path / "later", filter=KEEP_FIRST)
    assert published_rows(later) == published_rows(whole)
    assert len(measured) == (7 if stage == "listen-copies" else 5)
    assert all(promise.holds for promise in verify_run(later))


def test_ensemble_drops_copies(corpus, hears, tmp_path):
    names = ["a.wav", "b.flac", "c.wav", "d.ogg", "e.wav"]
    models = hears(first=dict.fromkeys(names, "one"), second=dict.fromkeys(names, "one") | {"e.wav": "two"})
    given = {"manifest": corpus["manifest"], "output": tmp_path / "vote", "models": list(models.values())}
    assert ensemble(**given, filter=KEEP_FIRST | {"preset": "none"}, max_quarantined=1).kept == 3

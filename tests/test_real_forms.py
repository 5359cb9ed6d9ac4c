"""Real recordings through each form of export and back, and the odd files of Lhotse's own tests."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from tests.in_process import curate
from tests.test_export import export
from winnow.audio.decode import load_clip
from winnow.corpora.peek import peek
from winnow.corpora.registry import open_source

REAL = Path(__file__).parents[2] / "shared" / "real"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/real")

FORMS = {
    "nemo": "manifest.jsonl",
    "nemo-tarred": "sharded_manifests/manifest__OP_0..1_CL_.json",
    "shar": "data",
    "webdataset": "shard-{000000..000001}.tar",
    "hf": "data",
    "kaldi": "",
}
"""What to read of an export."""


def samples_in(corpus: Path | str) -> dict[str, np.ndarray]:
    """Return the samples of each utterance, at 16 kHz, by its text."""
    rows = list(open_source(corpus).scan())
    assert [row.get("reason") for row in rows] == [None] * len(rows)
    clips = [load_clip(r["path"], r.get("offset"), r.get("duration"), 16_000, 60.0) for r in rows]
    return {" ".join(row["text"].split()): clip.samples for row, clip in zip(rows, clips, strict=True)}


@pytest.fixture(scope="module")
def originals() -> dict[str, np.ndarray]:
    return samples_in(REAL / "utterances.jsonl")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that kept everything: each text was heard as it is written."""
    folder = tmp_path_factory.mktemp("real")
    rows = [json.loads(line) for line in (REAL / "utterances.jsonl").read_text().splitlines()]
    heard = [{"audio_filepath": str(REAL / row["audio_filepath"]), "pred_text": row["text"]} for row in rows]
    (folder / "small.jsonl").write_text("".join(json.dumps(line) + "\n" for line in heard))
    rules = {"preset": "none"}
    report = curate(
        manifest=REAL / "utterances.jsonl", output=folder / "run", small=str(folder / "small.jsonl"), filter=rules
    )
    assert (report.lines, report.kept) == (len(rows), len(rows))
    return folder / "run"


@pytest.mark.parametrize("form", FORMS)
def test_files_as_they_are_have_the_same_samples_in_each_form(run, originals, tmp_path, form):
    options = {"shards": 2} if form in ("nemo-tarred", "webdataset") else {}
    audio = "wav" if form == "kaldi" else "original"
    export(run, tmp_path / "new", form, audio=audio, **options)
    found = samples_in(f"{tmp_path}/new/{FORMS[form]}".rstrip("/"))
    assert found.keys() == originals.keys()
    for text, samples in originals.items():
        assert len(found[text]) == len(samples), text
        assert np.abs(found[text] - samples).max() < (2**-15 if form == "kaldi" else 1e-9), text


def test_lossy_audio_has_the_same_number_of_samples(run, originals, tmp_path):
    export(run, tmp_path / "new", "nemo", audio="opus", rate=16_000)
    found = samples_in(tmp_path / "new" / "manifest.jsonl")
    assert {text: len(samples) for text, samples in found.items()} == {
        text: len(samples) for text, samples in originals.items()
    }


def test_first_audio_track_of_a_film_is_that_of_ffmpeg():
    clip = load_clip(str(REAL / "forms" / "film.mp4"), None, None, None, 60)
    with av.open(str(REAL / "forms" / "film.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
        frames = [frame.to_ndarray() for frame in film.decode(audio=0)]
    expected = np.concatenate(frames, axis=1).mean(axis=0)
    assert (len(clip.samples), clip.stats["sample_rate"], clip.stats["channels"]) == (254_976, 48_000, 6)
    np.testing.assert_allclose(clip.samples, expected[: len(clip.samples)], rtol=0, atol=1e-4)


@pytest.mark.parametrize("channel", [0, 1])
def test_channel_of_a_sphere_file_is_that_of_its_pcm(channel):
    path = REAL / "forms" / "stereo.sph"
    clip = load_clip(str(path), None, None, None, 60, channel=channel)
    expected = np.frombuffer(path.read_bytes()[1_024:], "<i2").reshape(-1, 2)[:, channel] / 32_768
    assert clip.stats["channels"] == 2
    np.testing.assert_array_equal(clip.samples, expected.astype(np.float32))


def test_shar_of_mixtures_says_why_none_of_its_rows_has_audio():
    found = peek(open_source(REAL / "forms" / "shar-mixture"), 100)
    assert (found.form, found.complete, found.rows, found.reasons) == ("Lhotse Shar", True, 14, {"UNSUPPORTED_CUT": 14})

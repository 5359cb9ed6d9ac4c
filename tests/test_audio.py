import os

import numpy as np
import pytest
import soundfile

from tasks.audio import BadAudio, load

RATE = 16_000


def reason(path, offset=None, duration=None, longest=60.0):
    with pytest.raises(BadAudio) as found:
        load(str(path), offset, duration, RATE, longest)
    return str(found.value)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_any_format_and_rate_becomes_mono_at_the_models_rate(tone, name, rate):
    clip = load(str(tone(name, rate=rate, channels=2)), None, None, RATE, 60)
    assert clip.samples.ndim == 1
    assert clip.samples.dtype == np.float32
    assert clip.seconds == pytest.approx(1.0, abs=0.1)  # mp3 pads
    assert len(clip.samples) / RATE == pytest.approx(clip.seconds, abs=0.001)
    spectrum = np.abs(np.fft.rfft(clip.samples[: RATE // 2]))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=4)


def test_opus_is_read(tone):
    assert load(str(tone("a.opus", format="OGG", subtype="OPUS")), None, 1.0, RATE, 60).seconds == pytest.approx(1.0)


def test_an_offset_means_a_slice(tmp_path):
    ramp = np.linspace(0, 0.5, 3 * RATE)
    soundfile.write(tmp_path / "a.wav", ramp, RATE, subtype="FLOAT")
    clip = load(str(tmp_path / "a.wav"), 1.0, 0.5, RATE, 60)
    assert clip.seconds == 0.5
    assert clip.samples == pytest.approx(ramp[RATE : RATE + RATE // 2], abs=1e-6)


def test_a_long_file_may_be_read_in_slices(tone):
    assert load(str(tone("a.wav", seconds=5)), 3.0, 1.0, RATE, longest=2).seconds == 1.0


@pytest.mark.parametrize(
    ("offset", "duration", "found"),
    [
        (None, 2.0, "DURATION_MISMATCH"),
        (None, 0.8, "DURATION_MISMATCH"),
        (0.5, 1.0, "DURATION_MISMATCH"),
        (1.0, None, "BAD_OFFSET"),
        (7.0, 1.0, "BAD_OFFSET"),
        (0.95, None, "TOO_SHORT"),
    ],
)
def test_a_slice_that_is_not_there(tone, offset, duration, found):
    assert reason(tone("a.wav"), offset, duration) == found


@pytest.mark.parametrize("stated", [0.95, 1.0, 1.05])
def test_a_stated_duration_may_be_a_little_off(tone, stated):
    assert load(str(tone("a.wav")), None, stated, RATE, 60).seconds == 1.0


def test_files_that_are_no_audio(tmp_path, tone):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<html></html>")
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    tone("whole.flac")
    (tmp_path / "headless.raw").write_bytes(bytes(32_000))
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    names = ["missing.wav", "whole.flac/a.wav", "empty.wav", "page.wav", "folder.wav", "pipe.wav"]
    names += ["headless.raw", "loop.wav", "a" * 300]
    assert [reason(tmp_path / name, duration=1.0) for name in names] == [
        "AUDIO_MISSING",
        "AUDIO_MISSING",
        "AUDIO_UNREADABLE",
        "AUDIO_UNREADABLE",
        "NOT_A_FILE",
        "NOT_A_FILE",
        "AUDIO_UNREADABLE",
        "AUDIO_IO",
        "AUDIO_IO",
    ]


@pytest.mark.parametrize("name", ["cut.wav", "cut.flac", "cut.ogg"])
def test_a_truncated_file_is_found_out(tmp_path, tone, name):
    whole = tone(name, seconds=8).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    assert reason(tmp_path / name, duration=8.0) in ("DURATION_MISMATCH", "AUDIO_UNREADABLE")


def test_limits(tmp_path, tone):
    assert reason(tone("long.wav", seconds=3), longest=2) == "TOO_LONG"
    assert reason(tone("blip.wav", seconds=0.05)) == "TOO_SHORT"
    assert reason(tone("slow.wav", rate=1_000)) == "BAD_FORMAT"
    assert reason(tone("many.wav", channels=9)) == "BAD_FORMAT"


def test_undefined_samples_never_reach_the_model(tmp_path):
    samples = np.zeros(RATE, np.float32)
    samples[100] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert reason(tmp_path / "a.wav") == "NONFINITE_AUDIO"

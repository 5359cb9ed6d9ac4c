import os
import socket
import struct
import time
import tracemalloc
from threading import Timer

import numpy as np
import pytest
import soundfile
import soxr

from tests.conftest import DEMO
from winnow.audio.channels import BLOCK_VALUES
from winnow.audio.decode import header_duration, load_clip
from winnow.audio.measurements import MEASUREMENTS, AudioStats, BadAudio

RATE = 16_000
SPEECH = DEMO / "corpus" / "audio" / "000.flac"


def stats_of(path, offset=None, duration=None, longest=60.0, **options):
    return load_clip(str(path), offset, duration, RATE, longest, **options).stats


def fault_of(path, offset=None, duration=None, longest=60.0, **options):
    """Return reason, detail and measured seconds of the audio that is refused."""
    with pytest.raises(BadAudio) as caught:
        load_clip(str(path), offset, duration, RATE, longest, **options)
    error = caught.value
    assert str(error) == error.reason
    return error.reason, error.detail, error.stats and error.stats.seconds


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_any_format_and_rate_is_decoded_to_mono_at_the_models_rate(write_tone, name, rate):
    clip = load_clip(str(write_tone(name, rate=rate, channels=2)), None, None, RATE, 60)
    assert clip.samples.ndim == 1
    assert clip.samples.dtype == np.float32
    assert clip.samples.flags.c_contiguous
    assert clip.seconds == pytest.approx(1.0, abs=0.1)  # mp3 pads
    assert len(clip.samples) / RATE == pytest.approx(clip.seconds, abs=0.001)
    spectrum = np.abs(np.fft.rfft(clip.samples[: RATE // 2]))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=4)


def test_opus_is_decoded(write_tone):
    assert stats_of(write_tone("a.opus", format="OGG", subtype="OPUS"), None, 1.0).seconds == pytest.approx(1.0)


def test_channels_are_averaged(tmp_path):
    left, right = np.linspace(0, 0.5, RATE), np.linspace(0.3, -0.3, RATE)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right, 0 * left], axis=1), RATE, subtype="FLOAT")
    samples = load_clip(str(tmp_path / "a.wav"), None, None, RATE, 60).samples
    np.testing.assert_allclose(samples, (left + right) / 3, rtol=0, atol=1e-6)


def test_offset_and_duration_select_a_slice(tmp_path):
    ramp = np.linspace(0, 0.5, 3 * RATE)
    soundfile.write(tmp_path / "a.wav", ramp, RATE, subtype="FLOAT")
    clip = load_clip(str(tmp_path / "a.wav"), 1.0, 0.5, RATE, 60)
    assert clip.seconds == 0.5
    np.testing.assert_allclose(clip.samples, ramp[RATE : RATE + RATE // 2], rtol=0, atol=1e-6)
    rest = load_clip(str(tmp_path / "a.wav"), 2.5, None, RATE, 60).samples
    np.testing.assert_allclose(rest, ramp[RATE * 5 // 2 :], rtol=0, atol=1e-6)


def test_length_limit_applies_to_slices_not_files(write_tone):
    assert stats_of(write_tone("a.wav", seconds=5), 3.0, 1.0, longest=2).seconds == 1.0


def test_audio_longer_than_a_block_is_complete(tmp_path):
    ramp = np.linspace(-1, 1, 2 * BLOCK_VALUES + 100, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", ramp, RATE, subtype="FLOAT")
    assert np.array_equal(load_clip(str(tmp_path / "a.wav"), None, None, RATE, 200).samples, ramp)


def square_wave(seconds=1.0, loud=1.0):
    """Return a square wave of 100 Hz."""
    return loud * np.where(np.arange(round(seconds * RATE)) // (RATE // 200) % 2, 1.0, -1.0)


def tone_sequence(*loud, pitch=440.0):
    """Return a second of tone at each amplitude."""
    at = np.arange(RATE) / RATE
    return np.concatenate([level * np.sin(2 * np.pi * pitch * at) for level in loud])


def stats_with(*values):
    """Return measurements in the order in which they are declared."""
    return AudioStats(zip([measurement.name for measurement in MEASUREMENTS], values, strict=True))


QUIET = 0.0009  # a tone's RMS is 3 dB below its peak, so this is -64 dB


@pytest.mark.parametrize(
    ("samples", "subtype", "expected"),
    [
        (tone_sequence(0.25), "FLOAT", stats_with(1.0, RATE, 1, 0.25, 0.0, 0.0, True)),
        (tone_sequence(0.25, pitch=6000), "FLOAT", stats_with(1.0, RATE, 1, 0.25, 0.0, 0.0, False)),
        (tone_sequence(0.25, QUIET, 0, 0), "FLOAT", stats_with(4.0, RATE, 1, 0.25, 0.0, 0.75, True)),
        (tone_sequence(0), "PCM_16", stats_with(1.0, RATE, 1, 0.0, 0.0, 1.0, None)),
        (tone_sequence(QUIET), "FLOAT", stats_with(1.0, RATE, 1, QUIET, 0.0, 1.0, None)),
        (square_wave(), "PCM_16", stats_with(1.0, RATE, 1, 1.0, 1.0, 0.0, False)),
        (square_wave(), "PCM_24", stats_with(1.0, RATE, 1, 1.0, 1.0, 0.0, False)),
        (square_wave(), "PCM_U8", stats_with(1.0, RATE, 1, 1.0, 1.0, 0.0, False)),
        (square_wave(), "ULAW", stats_with(1.0, RATE, 1, 0.98, 1.0, 0.0, False)),
        (square_wave(), "ALAW", stats_with(1.0, RATE, 1, 0.984, 1.0, 0.0, False)),
        (square_wave(loud=1.5), "FLOAT", stats_with(1.0, RATE, 1, 1.5, 1.0, 0.0, False)),
        (square_wave(loud=0.99), "PCM_16", stats_with(1.0, RATE, 1, 0.99, 0.0, 0.0, False)),
        (np.stack([square_wave(), -square_wave()], 1), "FLOAT", stats_with(1.0, RATE, 2, 1.0, 1.0, 0.0, False)),
        (np.stack([square_wave(), 0 * square_wave()], 1), "FLOAT", stats_with(1.0, RATE, 2, 1.0, 0.5, 0.0, False)),
    ],
)
def test_measurements_of_known_signals(tmp_path, samples, subtype, expected):
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype=subtype)
    assert stats_of(tmp_path / "a.wav") == pytest.approx(expected, abs=1e-3)


def test_duration_is_measured_before_resampling(write_tone):
    clip = load_clip(str(write_tone("a.wav", seconds=1.00005, rate=44_100)), None, None, RATE, 60)
    assert (clip.seconds, clip.stats["sample_rate"], len(clip.samples)) == (44_102 / 44_100, 44_100, 16_001)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.ogg", "OPUS"), ("a.mp3", "MPEG_LAYER_III")],
)
@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("loud", [1.0, 0.1])
def test_telephone_speech_is_narrowband_at_any_rate(tmp_path, name, subtype, rate, loud):
    speech, _ = soundfile.read(SPEECH, dtype="float32")
    wide, narrow = soxr.resample(speech, RATE, rate), soxr.resample(soxr.resample(speech, RATE, 8_000), 8_000, rate)
    narrowband = []
    for samples in (wide, narrow):
        soundfile.write(tmp_path / name, loud * samples, rate, subtype=subtype)
        narrowband.append(stats_of(tmp_path / name)["narrowband"])
    assert narrowband == [False, True]


def test_demo_recording_at_8_khz_is_narrowband():
    assert stats_of(DEMO / "corpus" / "audio" / "8khz.wav")["narrowband"] is True


@pytest.mark.parametrize(
    ("offset", "duration", "expected"),
    [
        (None, 2.0, ("DURATION_MISMATCH", "stated 2.00 s, measured 1.00 s", 1.0)),
        (None, 0.8, ("DURATION_MISMATCH", "stated 0.80 s, measured 1.00 s", 1.0)),
        (0.5, 1.0, ("DURATION_MISMATCH", "stated 1.00 s, measured 0.50 s", 0.5)),
        (1.0, None, ("BAD_OFFSET", "offset 1.00 s in a file of 1.00 s", None)),
        (7.0, 1.0, ("BAD_OFFSET", "offset 7.00 s in a file of 1.00 s", None)),
        (-0.5, 1.0, ("BAD_OFFSET", "offset -0.50 s in a file of 1.00 s", None)),
        (float("nan"), 1.0, ("BAD_OFFSET", "offset nan s in a file of 1.00 s", None)),
        (0.95, None, ("TOO_SHORT", "0.050 s", 0.05)),
    ],
)
def test_slice_outside_the_file_is_refused(write_tone, offset, duration, expected):
    assert fault_of(write_tone("a.wav"), offset, duration) == expected


@pytest.mark.parametrize("stated", [0.95, 1.0, 1.05])
def test_stated_duration_may_differ_by_50_ms(write_tone, stated):
    assert stats_of(write_tone("a.wav"), None, stated).seconds == 1.0


def test_stated_duration_may_differ_by_one_percent(write_tone):
    assert stats_of(write_tone("a.wav", seconds=20), None, 20.19).seconds == 20.0
    assert fault_of(write_tone("a.wav", seconds=20), None, 20.25)[0] == "DURATION_MISMATCH"


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("missing.wav", "AUDIO_MISSING", "no such file"),
        ("whole.flac/a.wav", "AUDIO_MISSING", "no such file"),
        ("dangling.wav", "AUDIO_MISSING", "no such file"),
        ("\0", "AUDIO_MISSING", "no such file"),
        ("\ud800.wav", "AUDIO_MISSING", "no such file"),
        ("empty.wav", "AUDIO_UNREADABLE", "Format not recognised."),
        ("page.wav", "AUDIO_UNREADABLE", "Format not recognised."),
        ("headless.raw", "AUDIO_UNREADABLE", "Format not recognised."),
        ("folder.wav", "AUDIO_UNREADABLE", "a folder"),
        ("pipe.wav", "PATH_OUTSIDE_ROOT", "a pipe"),
        ("socket.wav", "PATH_OUTSIDE_ROOT", "a socket"),
        ("device.wav", "PATH_OUTSIDE_ROOT", "a device"),
        ("loop.wav", "AUDIO_IO", "ELOOP: Too many levels of symbolic links"),
        ("a" * 300, "AUDIO_IO", "ENAMETOOLONG: File name too long"),
    ],
)
def test_path_without_audio_has_its_reason(tmp_path, write_tone, monkeypatch, name, reason, detail):
    write_tone("whole.flac")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "page.wav").write_text("<html></html>")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "headless.raw").write_bytes(bytes(32_000))
    for link, to in {"loop.wav": "loop.wav", "dangling.wav": "missing.wav", "device.wav": "/dev/zero"}.items():
        (tmp_path / link).symlink_to(to)
    os.mkfifo(tmp_path / "pipe.wav")
    monkeypatch.chdir(tmp_path)  # the path of a socket is limited to about 100 characters
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.wav")
        assert fault_of(tmp_path / name, duration=1.0) == (reason, detail, None)


def test_header_duration_is_zero_if_it_is_not_stated(tmp_path, write_tone):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "page.wav").write_text("<html></html>")
    paths = [
        write_tone("a.wav", seconds=2),
        with_frame_count(write_tone("b.flac"), 0),
        with_frame_count(write_tone("c.flac"), 80_000),
    ]
    paths += [tmp_path / name for name in ("pipe.wav", "page.wav", "missing.wav")]
    assert [header_duration(str(path)) for path in paths] == [2.0, 0.0, 5.0, 0.0, 0.0, 0.0]
    assert header_duration(str(paths[0]), root=tmp_path / "audio") == 0.0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_errors_are_not_retried(write_tone):
    path = write_tone("a.wav")
    path.chmod(0)
    assert fault_of(path, delays=(60,)) == ("AUDIO_IO", "EACCES: Permission denied", None)


@pytest.mark.parametrize("name", ["audio/a.wav", "audio/link.wav", "linked/a.wav", "audio/../audio/a.wav"])
def test_audio_inside_the_root_is_opened(tmp_path, write_tone, name):
    (tmp_path / "linked").symlink_to("audio")
    (write_tone("audio/a.wav").parent / "link.wav").symlink_to("a.wav")
    for root in ("audio", "linked"):
        assert stats_of(tmp_path / name, root=tmp_path / root).seconds == 1.0


@pytest.mark.parametrize(
    "name", ["b.wav", "audio/../b.wav", "audio/link.wav", "audio/away/b.wav", "audio2/b.wav", "no"]
)
def test_audio_outside_the_root_is_not_opened(tmp_path, write_tone, name):
    write_tone("audio/a.wav")
    write_tone("audio2/b.wav")
    (tmp_path / "audio" / "link.wav").symlink_to(write_tone("b.wav"))
    (tmp_path / "audio" / "away").symlink_to(tmp_path)
    assert fault_of(tmp_path / name, root=tmp_path / "audio") == (
        "PATH_OUTSIDE_ROOT",
        "leads out of the audio root",
        None,
    )


MEMORY = "/proc/self/mem"  # a regular file whose first bytes are a real EIO


@pytest.mark.skipif(not os.path.exists(MEMORY), reason="needs /proc")  # noqa: PTH110
def test_disk_error_is_not_reported_as_unreadable_audio(tmp_path):
    (tmp_path / "a.wav").symlink_to(MEMORY)
    assert fault_of(tmp_path / "a.wav", delays=(0, 0, 0)) == ("AUDIO_IO", "EIO: Input/output error", None)


@pytest.mark.skipif(not os.path.exists(MEMORY), reason="needs /proc")  # noqa: PTH110
def test_transient_disk_error_is_retried(tmp_path, write_tone):
    path, whole = tmp_path / "a.wav", write_tone("whole.wav")
    path.symlink_to(MEMORY)
    mended = Timer(0.05, lambda: whole.replace(path))
    mended.start()
    assert stats_of(path, delays=(0, 0.2, 1.6)).seconds == 1.0
    mended.join()


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("cut.wav", "BAD_HEADER", "the header states 256000 bytes, the file has 127978"),
        ("cut.aiff", "BAD_HEADER", "the header states 256008 bytes, the file has 127981"),
        ("cut.flac", "AUDIO_UNREADABLE", "Error : flac decoder lost sync."),
        ("cut.mp3", "BAD_HEADER", "the header states 8.00 s, the file has 3.89 s"),
    ],
)
def test_truncated_file_is_detected(tmp_path, write_tone, name, reason, detail):
    whole = write_tone(name, seconds=8).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    assert fault_of(tmp_path / name)[:2] == (reason, detail)
    assert fault_of(tmp_path / name, duration=8.0)[0] in ("DURATION_MISMATCH", "AUDIO_UNREADABLE")


def test_truncated_ogg_is_detected_by_the_stated_duration(tmp_path, write_tone):
    whole = write_tone("a.ogg", seconds=8).read_bytes()
    (tmp_path / "a.ogg").write_bytes(whole[: len(whole) // 2])
    assert fault_of(tmp_path / "a.ogg", duration=8.0)[0] == "DURATION_MISMATCH"


def with_frame_count(path, frames):
    """Make the header of a 16-bit mono wav or flac state so many frames (of a wav: bytes)."""
    data = bytearray(path.read_bytes())
    if path.suffix == ".wav":
        at = data.index(b"data") + 4
        data[at : at + 4] = struct.pack("<I", frames)
    else:
        total = int.from_bytes(data[18:26], "big") >> 36 << 36 | frames
        data[18:26] = total.to_bytes(8, "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "frames"), [("a.flac", 0), *(("a.wav", size) for size in (0xFFFF_FFFF, 0x7FFF_FFFF, 0x8000_0000))]
)
def test_header_of_a_stream_may_state_no_length(write_tone, name, frames):
    path = with_frame_count(write_tone(name, seconds=5), frames)
    assert stats_of(path).seconds == 5.0
    assert stats_of(path, None, 5.0).seconds == 5.0
    assert stats_of(path, 2.0, 1.0).seconds == 1.0
    assert fault_of(path, 7.0, 1.0)[0] == "BAD_OFFSET"
    assert fault_of(path, None, 6.0)[0] == "DURATION_MISMATCH"


@pytest.mark.parametrize(
    ("name", "frames", "expected"),
    [
        ("a.flac", 2**36 - 1, ("BAD_HEADER", "the header states 4294967.30 s, the file has 5.00 s", 5.0)),
        ("a.flac", 160_000, ("BAD_HEADER", "the header states 10.00 s, the file has 5.00 s", 5.0)),
        ("a.wav", 200_000, ("BAD_HEADER", "the header states 200000 bytes, the file has 160000", 5.0)),
        ("a.wav", 32_000, ("BAD_HEADER", "128000 of 160044 bytes come after the last frame", 1.0)),
        ("a.wav", 0, ("BAD_HEADER", "160000 of 160044 bytes come after the last frame", 0.0)),
    ],
)
def test_header_that_misstates_the_length_is_refused(write_tone, name, frames, expected):
    assert fault_of(with_frame_count(write_tone(name, seconds=5), frames)) == expected


def test_flac_with_more_audio_than_stated_is_refused(write_tone):
    reason, detail, seconds = fault_of(with_frame_count(write_tone("a.flac", seconds=5), 16_000))
    assert (reason, detail.partition(" bytes ")[2], seconds) == ("BAD_HEADER", "come after the last frame", 1.0)


def test_tags_at_the_end_of_a_file_are_accepted(tmp_path, write_tone):
    path = write_tone("a.flac")
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert stats_of(path).seconds == 1.0


def ten_hours(path):
    """Write half a megabyte of flac that decodes to 600 MB of samples."""
    with soundfile.SoundFile(path, "w", 4_000, 1) as file:
        for _ in range(600):
            file.write(np.zeros(60 * 4_000, np.int16))
    return path


def test_ten_hours_in_half_a_megabyte_are_not_decoded(tmp_path):
    path = ten_hours(tmp_path / "a.flac")
    for frames, reason in [(None, "TOO_LONG"), (0, "TOO_LONG"), (2**36 - 1, "TOO_LONG"), (20_000, "BAD_HEADER")]:
        if frames is not None:
            with_frame_count(path, frames)
        tracemalloc.start()
        began = time.process_time()
        assert fault_of(path)[0] == reason
        assert time.process_time() - began < 0.3  # it takes a few milliseconds; the whole would take seconds
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20  # bytes
        tracemalloc.stop()


def test_length_rate_and_channels_are_limited(write_tone):
    assert fault_of(write_tone("long.wav", seconds=3), longest=2) == ("TOO_LONG", "more than 2 s", None)
    assert fault_of(write_tone("blip.wav", seconds=0.05)) == ("TOO_SHORT", "0.050 s", 0.05)
    assert fault_of(write_tone("nothing.wav", seconds=0)) == ("TOO_SHORT", "0.000 s", 0.0)
    assert fault_of(write_tone("slow.wav", rate=1_000)) == ("BAD_FORMAT", "1000 Hz, channels: 1", None)
    assert fault_of(write_tone("fast.wav", rate=400_000)) == ("BAD_FORMAT", "400000 Hz, channels: 1", None)
    assert fault_of(write_tone("many.wav", channels=9)) == ("BAD_FORMAT", "16000 Hz, channels: 9", None)


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_nonfinite_samples_are_refused(tmp_path, value, channel):
    samples = np.zeros((RATE, 2), np.float32)
    samples[100, channel] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert fault_of(tmp_path / "a.wav") == ("NONFINITE_AUDIO", f"samples of {abs(value):g}", None)

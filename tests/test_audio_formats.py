"""Containers and codecs: each is decoded to its end, by the decoder that knows where that is."""

import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from tests.conftest import shard_table
from tests.test_audio import fault_of, stats_of
from winnow.audio.decode import load_clip
from winnow.engines.inference import transcribe_requests
from winnow.engines.transcripts import TranscriptEngine
from winnow.models.passes import Pass
from winnow.models.transcription import transcribe
from winnow.parameters.engine import EngineOptions
from winnow.schema import UTTERANCE

RATE = 16_000


def sweep(seconds: float, rate: int = RATE) -> np.ndarray:
    """Return a rising tone that is interrupted, with a little noise: no two moments of it are the same."""
    at = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(at))
    return (0.3 * np.sin(2 * np.pi * (200 + 20 * at) * at) * (np.sin(3 * at) > -0.5) + 0.01 * noise).astype(np.float32)


def encode(samples: np.ndarray, container: str, codec: str, rate: int = RATE, **options: Any) -> bytes:
    """Return an encoded file, with FFmpeg's names of container and codec; `vbr` is a quality, `xing` a length tag."""
    vbr, xing, bit_rate = options.get("vbr"), options.get("xing", True), options.get("bit_rate")
    file = io.BytesIO()
    layout = "mono" if samples.ndim == 1 else "stereo"
    with av.open(file, "w", format=container, options={} if xing else {"write_xing": "0"}) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        if vbr is not None:
            stream.codec_context.flags |= 2  # constant quality
            stream.codec_context.global_quality = 118 * vbr
        elif bit_rate:
            stream.bit_rate = bit_rate
        for packets in encoded(stream, samples, rate):
            output.mux(packets)
    return file.getvalue()


def encoded(stream: Any, samples: np.ndarray, rate: int) -> Iterator[Any]:
    """Yield the packets of samples from -1 to 1, or of two channels of them."""
    layout = "mono" if samples.ndim == 1 else "stereo"
    packed = np.ascontiguousarray((samples * 32_767).astype(np.int16).T.reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    resampler = av.AudioResampler(stream.codec_context.format.name, layout, stream.codec_context.sample_rate)
    for part in (*resampler.resample(frame), *resampler.resample(None), None):
        yield stream.encode(part)


def with_sndfile(samples: np.ndarray, container: str, codec: str | None = None, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=codec)
    return file.getvalue()


def assert_equal_samples(samples: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Compare arrays; `pytest.approx` needs a second for each 100,000 samples."""
    np.testing.assert_allclose(samples, expected, rtol=0, atol=tolerance)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_bytes(data: bytes, name: str = "a.bin") -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write_bytes


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("mp4", "aac", {"bit_rate": 64_000}),
        ("ipod", "alac", {}),
        ("adts", "aac", {"bit_rate": 64_000}),
        ("webm", "libopus", {"bit_rate": 32_000}),
        ("matroska", "flac", {}),
        ("asf", "wmav2", {"bit_rate": 64_000}),
        ("wv", "wavpack", {}),
        ("wav", "g722", {}),
        ("wav", "adpcm_ima_wav", {}),
        ("wav", "libmp3lame", {"bit_rate": 32_000}),
        ("mp2", "mp2", {"bit_rate": 64_000}),
        ("mp3", "libmp3lame", {"bit_rate": 32_000}),
        ("mp3", "libmp3lame", {"vbr": 5, "xing": False}),
    ],
)
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_container_and_codec_are_decoded_to_the_end(write, container, codec, options, rate):
    clip = load_clip(str(write(encode(sweep(4.0, rate), container, codec, rate, **options))), None, 4.0, 16_000, 60)
    assert clip.seconds == pytest.approx(4.0, abs=0.13)
    levels = [np.square(samples[:60_000].reshape(-1, 800)).mean(axis=1) for samples in (clip.samples, sweep(4.0))]
    assert np.corrcoef(levels)[0, 1] > 0.8


LENGTHS = [
    ("mp4", "aac", 16_000, 0),
    ("ipod", "aac", 16_000, 0),
    ("ipod", "aac", 48_000, 0),
    ("mov", "aac", 16_000, 0),
    ("ipod", "alac", 16_000, 0),
    ("matroska", "aac", 16_000, 1_024),
    ("matroska", "flac", 16_000, 0),
    ("adts", "aac", 16_000, 1_024),
    ("amr", "libopencore_amrnb", 8_000, 160),
    ("webm", "libopus", 16_000, 0),
    ("webm", "libopus", 48_000, 0),
    ("ogg", "libopus", 16_000, 0),
    ("mp3", "libmp3lame", 16_000, 0),
    ("asf", "wmav2", 16_000, 1_024),
]
"""Containers, codecs and rates, and how many samples more or less may be read: none, or a frame of the codec."""


def shift(samples: np.ndarray, original: np.ndarray) -> int:
    """Return by how many samples a signal is late: where it correlates best with the original."""
    size = 2 * max(len(samples), len(original))
    product = np.fft.rfft(samples, size) * np.conj(np.fft.rfft(original, size))
    late = int(np.argmax(np.fft.irfft(product)))
    return late if late < size // 2 else late - size


@pytest.mark.parametrize(("container", "codec", "rate", "frame"), LENGTHS)
def test_every_sample_is_read_and_the_delay_of_the_encoder_is_not(write, container, codec, rate, frame):
    bit_rate = {} if codec in ("alac", "flac") else {"bit_rate": 12_200 if container == "amr" else 64_000}
    clip = load_clip(str(write(encode(sweep(4.0, rate), container, codec, rate, **bit_rate))), None, None, rate, 60)
    assert abs(len(clip.samples) - 4 * rate) <= frame
    assert abs(shift(clip.samples, sweep(4.0, rate))) <= frame // 2


@pytest.mark.parametrize("frame", [b"\x04" + bytes(17), b"\x44" + bytes(60), b"\x7c"], ids=["6.6", "23.85", "no data"])
def test_each_frame_of_wideband_amr_is_20_ms(write, frame):
    """FFmpeg has no encoder of it: RFC 4867, 5.3: a header, then frames that begin with the number of their mode."""
    clip = load_clip(str(write(b"#!AMR-WB\n" + frame * 100)), None, None, None, 60)
    assert (len(clip.samples), clip.stats["sample_rate"]) == (100 * 320, 16_000)


def test_first_audio_track_of_a_video_is_read(write):
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        film = output.add_stream("mpeg4", rate=10)
        film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
        tracks = [output.add_stream("flac", rate=RATE, layout="mono") for _ in range(2)]
        for frame in (av.VideoFrame(64, 64, "yuv420p"), None):
            output.mux(film.encode(frame))
        for track, level in zip(tracks, (1.0, 0.1), strict=True):
            for packets in encoded(track, level * sweep(1.0), RATE):
                output.mux(packets)
    clip = load_clip(str(write(file.getvalue(), "film.mkv")), None, None, RATE, 60)
    assert_equal_samples(clip.samples, sweep(1.0), 1e-4)


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize(("container", "codec"), [("ipod", "alac"), ("ipod", "aac"), ("matroska", "flac")])
def test_channel_of_what_ffmpeg_decodes_is_read_alone(write, container, codec, channel):
    both = np.stack([sweep(1.0), sweep(1.0)[::-1]])
    clip = load_clip(str(write(encode(both, container, codec))), None, None, RATE, 60, channel=channel)
    assert len(clip.samples) == RATE
    assert np.corrcoef(clip.samples, both[channel])[0, 1] > 0.95


MP3 = encode(sweep(4.0), "mp3", "libmp3lame", vbr=5)
UNTAGGED_MP3 = encode(sweep(4.0), "mp3", "libmp3lame", vbr=5, xing=False)
WAV = with_sndfile(sweep(2.0), "WAV")
ART = b"ID3\x03\0\0\0\0\x10\0" + bytes(np.random.default_rng(0).integers(0, 256, 2_048, np.uint8))


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ([MP3, MP3], 8.0),
        ([MP3, encode(sweep(1.0), "mp3", "libmp3lame", bit_rate=64_000), MP3], 9.0),
        ([UNTAGGED_MP3, MP3], 8.0),
        ([MP3, UNTAGGED_MP3], 8.0),
        ([UNTAGGED_MP3, UNTAGGED_MP3], 8.0),
        ([ART, MP3, ART, MP3, b"TAG" + bytes(125)], 8.0),
        *(
            ([with_sndfile(sweep(3.0), *form), with_sndfile(sweep(1.0), *form)], 4.0)
            for form in [
                ("FLAC",),
                ("WAV",),
                ("AIFF",),
                ("AU",),
                ("CAF",),
                ("RF64",),
                ("OGG", "VORBIS"),
                ("OGG", "OPUS"),
            ]
        ),
        *(([WAV[:4] + struct.pack("<I", size) + WAV[8:], WAV], 4.0) for size in (0, 100, 2**31, 2**32 - 1)),
        ([with_sndfile(sweep(1.0), "OGG", "OPUS")] * 3, 3.0),
        ([with_sndfile(sweep(0.2), "FLAC")] * 20, 4.0),
        ([encode(sweep(2.0), "adts", "aac", bit_rate=64_000)] * 2, 4.0),
        ([encode(sweep(2.0), "ipod", "alac")] * 2, 4.0),
        ([encode(sweep(2.0), "asf", "wmav2", bit_rate=64_000)] * 2, 4.0),
    ],
)
def test_files_joined_by_cat_are_decoded_to_the_end(write, parts, seconds):
    path = write(b"".join(parts))
    whole = load_clip(str(path), None, None, RATE, 60)
    assert whole.seconds == pytest.approx(seconds, abs=0.25)
    at = seconds - 0.8  # in the last part
    assert load_clip(str(path), at, 0.5, RATE, 60).seconds == 0.5
    assert fault_of(path, seconds + 1, 0.5)[0] == "BAD_OFFSET"


@pytest.mark.parametrize("form", [("WAV",), ("FLAC",), ("OGG", "OPUS"), ("MP3",)])
def test_joined_files_of_different_formats_are_refused(write, form):
    path = write(with_sndfile(sweep(2.0), *form) + with_sndfile(sweep(2.0, 8_000), *form, rate=8_000))
    assert fault_of(path)[:2] == (
        "BAD_FORMAT",
        "changes from 16000 Hz, channels: 1 to 8000 Hz, channels: 1",
    )


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("options", [{"vbr": 5, "xing": False}, {"vbr": 5}, {"bit_rate": 32_000}])
def test_slices_of_an_mp3_are_those_of_the_whole(write, rate, options):
    path = write(encode(sweep(90.0, rate), "mp3", "libmp3lame", rate, **options))
    whole = load_clip(str(path), None, None, rate, 200).samples
    assert len(whole) / rate == pytest.approx(90.0, abs=0.1)
    for offset in (0.3, 7.77, 45.0, 88.9):
        part, start = load_clip(str(path), offset, 1.0, rate, 60).samples, round(offset * rate)
        assert_equal_samples(part, whole[start : start + rate], 1e-5)
    assert fault_of(path, 91.0, 1.0) == ("BAD_OFFSET", f"offset 91.00 s in a file of {len(whole) / rate:.2f} s", None)


@pytest.mark.parametrize("container", ["ipod", "adts"])
def test_slices_of_aac_are_those_of_the_whole(write, container):
    path = write(encode(sweep(30.0), container, "aac", bit_rate=64_000))
    whole = load_clip(str(path), None, None, RATE, 60).samples
    for offset in (0.01, 12.3, 29.0):
        part, start = load_clip(str(path), offset, 0.5, RATE, 60).samples, round(offset * RATE)
        assert_equal_samples(part, whole[start : start + RATE // 2], 1e-3)


PADDED = {
    "adpcm": (encode(sweep(5.16, 8_000), "wav", "adpcm_ms", 8_000), 5.16),
    "mp3": (encode(sweep(2.708, 8_000), "mp3", "libmp3lame", 8_000, bit_rate=16_000, xing=False), 2.708),
    "mp3 in wav": (encode(sweep(4.416, 8_000), "wav", "libmp3lame", 8_000, bit_rate=16_000), 4.416),
    "gsm": (with_sndfile(sweep(6.596, 8_000), "WAV", "GSM610", 8_000), 6.596),
    "aac": (encode(sweep(3.0, 8_000), "adts", "aac", 8_000, bit_rate=24_000), 3.0),
}


@pytest.mark.parametrize("name", PADDED)
def test_padding_of_the_codec_is_no_mismatch(write, name):
    data, seconds = PADDED[name]
    assert stats_of(write(data), None, seconds).seconds == pytest.approx(seconds, abs=0.45)
    assert fault_of(write(data), None, seconds + 1)[0] == "DURATION_MISMATCH"
    cut = fault_of(write(data[: len(data) // 2]), None, seconds)[0]
    assert cut in ("DURATION_MISMATCH", "BAD_HEADER")


@pytest.mark.parametrize(
    ("stated", "rounding", "reason"),
    [
        (4.0, 0.5, None),
        (4.0, 0.05, "DURATION_MISMATCH"),
        (4.4, 0.05, None),
        (6.0, 0.5, "DURATION_MISMATCH"),
    ],
)
def test_duration_is_as_exact_as_it_is_written(write_tone, stated, rounding, reason):
    path = write_tone("a.wav", seconds=4.45)
    if reason:
        assert fault_of(path, None, stated, rounding=rounding)[0] == reason
    else:
        assert stats_of(path, None, stated, rounding=rounding).seconds == 4.45


SPEECH, OTHER = sweep(2.0), np.roll(sweep(2.0), 9_000)


@pytest.mark.parametrize(
    ("channels", "expected", "mended"),
    [
        ([SPEECH, -SPEECH], SPEECH, True),
        ([-0.5 * SPEECH, SPEECH], SPEECH, True),
        ([SPEECH, -SPEECH, SPEECH, -SPEECH], SPEECH, True),
        ([SPEECH, SPEECH], SPEECH, False),
        ([SPEECH, 0.1 * SPEECH], 0.55 * SPEECH, False),
        ([SPEECH, -0.1 * SPEECH], 0.45 * SPEECH, False),
        ([SPEECH, 0 * SPEECH], 0.5 * SPEECH, False),
        ([SPEECH, OTHER], (SPEECH + OTHER) / 2, False),
        ([0 * SPEECH, SPEECH, 0 * SPEECH, 0 * SPEECH], SPEECH / 4, False),
        ([0 * SPEECH, 0 * SPEECH], 0 * SPEECH, False),
    ],
)
def test_of_channels_that_cancel_the_loudest_is_transcribed(tmp_path, channels, expected, mended):
    soundfile.write(tmp_path / "a.wav", np.stack(channels, axis=1), RATE, subtype="FLOAT")
    clip = load_clip(str(tmp_path / "a.wav"), None, None, RATE, 60)
    assert_equal_samples(clip.samples, expected, 1e-6)
    assert clip.mended == (("CHANNELS_CANCEL",) if mended else ())
    assert clip.stats["channels"] == len(channels)


def test_channels_that_cancel_in_half_of_a_long_file_are_not_mixed_half(tmp_path):
    long = np.tile(SPEECH, 40)
    soundfile.write(tmp_path / "a.wav", np.stack([long, -long], axis=1), RATE, subtype="FLOAT")
    clip = load_clip(str(tmp_path / "a.wav"), 1.0, 75.0, RATE, 100)
    assert_equal_samples(clip.samples, long[RATE : 76 * RATE], 1e-6)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("channel", [0, 1])
def test_channel_is_decoded_alone(tmp_path, name, channel):
    both = np.stack([SPEECH, 0.5 * OTHER], axis=1)
    soundfile.write(tmp_path / name, both, RATE)
    clip = load_clip(str(tmp_path / name), None, 2.0, RATE, 60, channel=channel)
    assert np.corrcoef(clip.samples[: len(both)], both[: len(clip.samples), channel])[0, 1] > 0.9
    assert clip.stats["peak"] == pytest.approx(np.abs(both[:, channel]).max(), rel=0.3)
    assert fault_of(tmp_path / name, channel=2)[:2] == (
        "BAD_CHANNEL",
        "channel 2, counted from 0, of a file with 2",
    )


def test_pass_transcribes_the_stated_channel_and_says_what_it_mended(tmp_path, write_tone, hears):
    write_tone("cafe\u0301.wav")
    soundfile.write(tmp_path / "call.wav", np.stack([SPEECH, 0.5 * OTHER], axis=1), RATE)
    soundfile.write(tmp_path / "inverted.wav", np.stack([SPEECH, -SPEECH], axis=1), RATE)
    names = ["caf\xe9.wav", "call.wav", "call.wav", "call.wav", "inverted.wav", "call.wav", "call.wav"]
    engine = TranscriptEngine()
    transcripts = Path(hears(small=dict.fromkeys(names, "good morning"))["small"])
    lines = [json.dumps({"audio_filepath": "call.wav", "channel": n, "pred_text": "good evening"}) for n in (1, 2)]
    transcripts.write_text("\n".join([transcripts.read_text(), *lines]))
    checkpoint = engine.resolve(str(transcripts))
    shard = shard_table(
        UTTERANCE,
        path=[str(tmp_path / name) for name in names],
        audio_channel=[None, 0, 1, 2, None, None, None],
        duration=[1.0, 2.0, 2.0, 2.0, 2.0, 2.4, 2.4],
        duration_rounding=[None, None, None, None, None, 0.5, None],
        mended=[["FILE_URL"], None, None, None, None, None, None],
    )
    model_pass = Pass(role="small", checkpoint=checkpoint, options=EngineOptions(), root=None)
    model = engine.load(checkpoint, EngineOptions())
    table, _ = transcribe(shard, model_pass, lambda requests: transcribe_requests(model, requests, EngineOptions()))
    assert table["reason"].to_pylist() == [None, None, None, "BAD_CHANNEL", None, None, "DURATION_MISMATCH"]
    assert table["mended"].to_pylist() == [["FILE_URL", "FILE_NAME"], *[None] * 3, ["CHANNELS_CANCEL"], None, None]
    assert table["found_path"].to_pylist() == [str(tmp_path / "cafe\u0301.wav"), *[None] * 6]
    assert table["peak"].to_pylist()[1:3] == pytest.approx([np.abs(SPEECH).max(), 0.5 * np.abs(OTHER).max()], abs=1e-3)


def with_sample_count(data: bytes, count: int) -> bytes:
    """Make an MP4 state so many samples of one byte, all in its first chunk."""
    changed = bytearray(data)
    sizes, chunks, times = (changed.index(kind) for kind in (b"stsz", b"stsc", b"stts"))
    changed[sizes + 8 : sizes + 16] = struct.pack(">II", 1, count)
    changed[chunks + 16 : chunks + 20] = changed[times + 12 : times + 16] = struct.pack(">I", count)
    return bytes(changed)


def test_mp4_that_states_more_samples_than_bytes_is_not_listed(write):
    path = write(with_sample_count(encode(sweep(2.0), "ipod", "alac"), 2**26))
    reason, detail, _ = fault_of(path)
    assert (reason, detail[:29]) == ("AUDIO_UNREADABLE", "a table of 67108864 samples i")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:1,\n{}\n",
        "ffconcat version 1.0\nfile '{}'\n",
        "<MPD><Period><AdaptationSet><BaseURL>{}</BaseURL></AdaptationSet></Period></MPD>",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n# {}\n",
        "[playlist]\nFile1={}\n",
    ],
)
@pytest.mark.parametrize("name", ["a.m3u8", "a.mp3", "a.wav", "a.ffconcat", "a.mpd", "a.sdp"])
def test_playlists_open_no_other_file(tmp_path, write_tone, text, name):
    (tmp_path / name).write_text(text.format(write_tone("secret.wav")))
    assert fault_of(tmp_path / name)[0] == "AUDIO_UNREADABLE"

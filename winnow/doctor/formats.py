"""Whether the supported audio formats can be decoded on this machine."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from winnow.doctor.findings import Finding, failed, ok
from winnow.parameters.redaction import error_line

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Container and codec in libsndfile's words, by file suffix."""

FFMPEG_FORMATS = {
    "m4a": ("ipod", "aac"),
    "webm": ("webm", "libopus"),
    "wma": ("asf", "wmav2"),
    "wv": ("wv", "wavpack"),
}
"""The same in FFmpeg's words."""

SAMPLE_RATE = 48_000  # Hz
BIT_RATE = 64_000  # bits per second; wma has no default


def check_formats(
    formats: Mapping[str, tuple[str, str]] = FORMATS, ffmpeg_formats: Mapping[str, tuple[str, str]] = FFMPEG_FORMATS
) -> Iterator[Finding]:
    """Write one second of audio in each format and decode it as a run does."""
    import av
    import soundfile

    versions = f"libsndfile {soundfile.__libsndfile_version__}, PyAV {av.__version__}"
    with tempfile.TemporaryDirectory() as folder:
        errors = {
            suffix: round_trip_error(Path(folder, f"x.{suffix}"), *encoding, write)
            for write, encodings in ((write_by_libsndfile, formats), (write_by_ffmpeg, ffmpeg_formats))
            for suffix, encoding in encodings.items()
        }
    unreadable = [f"{suffix} cannot be decoded: {error}" for suffix, error in errors.items() if error]
    if unreadable:
        remedy = "pip install --force-reinstall soundfile av (their wheels have the decoders), or convert audio to flac"
        yield failed("audio", f"{'; '.join(unreadable)} ({versions})", remedy)
    else:
        yield ok("audio", f"{', '.join(errors)} can be decoded ({versions})")


def round_trip_error(path: Path, container: str, codec: str, write: Any) -> str | None:
    """Return why one second of this format cannot be written and decoded; None if it can."""
    from winnow.audio.decode import load_clip

    try:
        write(path, container, codec)
        load_clip(str(path), None, None, 16_000, 2.0)
    except Exception as error:
        return error_line(error)
    return None


def tone() -> Any:
    """Return one second of a tone, between -1 and 1."""
    import numpy as np

    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)


def write_by_libsndfile(path: Path, container: str, codec: str) -> None:
    import soundfile

    soundfile.write(path, tone(), SAMPLE_RATE, format=container, subtype=codec)


def write_by_ffmpeg(path: Path, container: str, codec: str) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=SAMPLE_RATE, layout="mono", bit_rate=BIT_RATE)
        samples = (tone() * 32_767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        resampler = av.AudioResampler(stream.codec_context.format.name, "mono", SAMPLE_RATE)
        for part in (*resampler.resample(frame), None):
            output.mux(stream.encode(part))

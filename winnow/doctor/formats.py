"""Whether the supported audio formats can be decoded on this machine."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

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

SAMPLE_RATE = 48_000  # Hz


def check_formats(formats: Mapping[str, tuple[str, str]] = FORMATS) -> Iterator[Finding]:
    """Write one second of audio in each format and decode it as a run does."""
    import soundfile

    version = f"libsndfile {soundfile.__libsndfile_version__}"
    with tempfile.TemporaryDirectory() as folder:
        errors = {
            suffix: round_trip_error(Path(folder, f"x.{suffix}"), *encoding) for suffix, encoding in formats.items()
        }
    unreadable = [f"{suffix} cannot be decoded: {error}" for suffix, error in errors.items() if error]
    if unreadable:
        remedy = "pip install --force-reinstall soundfile (its wheels contain libsndfile 1.2), or convert audio to flac"
        yield failed("audio", f"{'; '.join(unreadable)} ({version})", remedy)
    else:
        yield ok("audio", f"{', '.join(formats)} can be decoded ({version})")


def round_trip_error(path: Path, container: str, codec: str) -> str | None:
    """Return why one second of this format cannot be written and decoded; None if it can."""
    import numpy as np
    import soundfile

    from winnow.audio.decode import load_clip

    try:
        tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
        soundfile.write(path, tone, SAMPLE_RATE, format=container, subtype=codec)
        load_clip(str(path), None, None, 16_000, 2.0)
    except Exception as error:
        return error_line(error)
    return None

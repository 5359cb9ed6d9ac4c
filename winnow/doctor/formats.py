"""Whether the audio formats that Winnow promises can be read here."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from winnow.doctor.findings import Finding, failed, ok

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
"""By their files' endings, as libsndfile calls them."""

RATE = 48_000


def check_formats(formats: Mapping[str, tuple[str, str]] = FORMATS) -> Iterator[Finding]:
    """Write a second of each and read it as a run does."""
    import soundfile

    version = f"libsndfile {soundfile.__libsndfile_version__}"
    with tempfile.TemporaryDirectory() as folder:
        problems = {name: round_trip_error(Path(folder, f"x.{name}"), *kind) for name, kind in formats.items()}
    bad = {name: problem for name, problem in problems.items() if problem}
    if bad:
        found = "; ".join(f"{name} cannot be read: {problem}" for name, problem in bad.items())
        remedy = "pip install --force-reinstall soundfile (its wheels bring libsndfile 1.2), or make flac of the audio"
        yield failed("audio", f"{found} ({version})", remedy)
    else:
        yield ok("audio", f"{', '.join(formats)} can be read ({version})")


def round_trip_error(path: Path, container: str, codec: str) -> str | None:
    """Why a second of this format cannot be written and read; null where it can."""
    import numpy as np
    import soundfile

    from winnow.audio.decode import load_clip

    try:
        wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
        soundfile.write(path, wave, RATE, format=container, subtype=codec)
        load_clip(str(path), None, None, 16_000, 2.0)
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None

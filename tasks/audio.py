"""Audio as the model wants it: mono samples at its rate, or the reason why there are none."""

import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

SHORTEST = 0.1  # seconds
RATES = range(4_000, 384_001)
MOST_CHANNELS = 8

Samples = NDArray[np.float32]


class BadAudio(Exception):
    """Audio that no model should hear; the argument is the reason."""


@dataclass(frozen=True)
class Clip:
    """One utterance's samples and how long they were measured to be, in seconds."""

    samples: Samples
    seconds: float


def load(path: str, offset: float | None, duration: float | None, rate: int, longest: float) -> Clip:
    """The utterance at `rate`, channels averaged; with an offset a slice of its file, else the whole file.

    A stated duration must be true to 0.1 s or 1 %, whichever is more: that is how truncated files are found.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # a fifo would block, a device never end
            raise BadAudio("NOT_A_FILE")
        with Path(path).open("rb") as raw, soundfile.SoundFile(raw) as file:
            return _read(file, offset, duration, rate, longest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadAudio("AUDIO_MISSING") from error
    except OSError as error:
        raise BadAudio("AUDIO_IO") from error
    except (soundfile.SoundFileError, ValueError, TypeError, RuntimeError) as error:
        raise BadAudio("AUDIO_UNREADABLE") from error


def _read(file: soundfile.SoundFile, offset: float | None, duration: float | None, rate: int, longest: float) -> Clip:
    if file.samplerate not in RATES or not 1 <= file.channels <= MOST_CHANNELS:
        raise BadAudio("BAD_FORMAT")
    whole = file.frames / file.samplerate
    if offset is not None and not 0 <= offset < max(whole, 1e-9):
        raise BadAudio("BAD_OFFSET")
    start = round((offset or 0.0) * file.samplerate)
    wanted = file.frames - start
    if offset is not None and duration is not None:
        wanted = min(wanted, round(duration * file.samplerate))
    if wanted > longest * file.samplerate:
        raise BadAudio("TOO_LONG")
    if start:
        file.seek(start)
    samples = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
    measured = len(samples) / file.samplerate
    if duration is not None and abs(measured - duration) > max(0.1, 0.01 * duration):
        raise BadAudio("DURATION_MISMATCH")
    if len(samples) < wanted * 0.99:
        raise BadAudio("BAD_HEADER")
    if measured < SHORTEST:
        raise BadAudio("TOO_SHORT")
    if not np.isfinite(samples).all():
        raise BadAudio("NONFINITE_AUDIO")
    if file.samplerate != rate:
        samples = soxr.resample(samples, file.samplerate, rate)
    return Clip(samples.astype(np.float32, copy=False), measured)

"""Measurements of an utterance's audio: each is a column of the output that rules can compare.

A new measurement is one entry of `MEASUREMENTS`: schema, rules and `AudioStats` follow from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SILENCE_POWER = 1e-6  # mean square of a frame: -60 dB of full scale
MIN_POWER = 1e-5  # -50 dB; below it the noise of 16 bits hides whether a band is empty
HIGH_BAND_HZ = 4_200  # resamplers leave a little just above 4 kHz
EMPTY_BAND_SHARE = 1e-5  # of the power: upsampled telephone speech has at most -54 dB there, wideband at least -45 dB

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Signal:
    """A decoded utterance, before it is resampled for the model.

    `samples` are the mean of the channels at `sample_rate`, where 1 is full scale. `peak` and `clipped` are of all
    channels before they were averaged, since that hides both.
    """

    samples: Samples
    sample_rate: int
    channels: int
    peak: float
    clipped: float

    @cached_property
    def frames(self) -> Samples:
        """The samples in rows of 20 ms, without the incomplete last one; a shorter signal is one row."""
        size = max(1, min(self.sample_rate // 50, len(self.samples)))
        return self.samples[: len(self.samples) // size * size].reshape(-1, size)


def silent_share(signal: Signal) -> float:
    """Return the share of frames below -60 dB of full scale; 1 for a signal without samples."""
    frames = signal.frames
    silent = np.einsum("ij,ij->i", frames, frames) < SILENCE_POWER * frames.shape[1]
    return float(silent.mean()) if len(silent) else 1.0


def is_narrowband(signal: Signal) -> bool | None:
    """Tell from 32 of the frames whether nothing lies above 4 kHz; None if they are too quiet for that."""
    frames, rate = signal.frames, signal.sample_rate
    if rate <= 2 * 4_000:
        return True
    picked = frames[np.linspace(0, len(frames) - 1, 32).astype(int)] if len(frames) else frames
    if not picked.size or np.mean(np.square(picked)) < MIN_POWER:
        return None
    power = np.square(np.abs(np.fft.rfft(picked * np.hanning(picked.shape[1]).astype(np.float32)))).sum(axis=0)
    return bool(power[-(-HIGH_BAND_HZ * picked.shape[1] // rate) :].sum() < EMPTY_BAND_SHARE * power.sum())


@dataclass(frozen=True)
class Measurement:
    """A column that is measured in audio: its type, what it says with its unit, and how it is computed.

    `measure` returns None where it cannot tell.
    """

    name: str
    type: pa.DataType
    description: str
    measure: Callable[[Signal], float | bool | None]


MEASUREMENTS = (
    Measurement(
        "measured_duration",
        pa.float64(),
        "Length of the audio, in seconds",
        lambda signal: len(signal.samples) / signal.sample_rate,
    ),
    Measurement("sample_rate", pa.int32(), "Sample rate of the file, in Hz", lambda signal: signal.sample_rate),
    Measurement("channels", pa.int32(), "Channels of the file", lambda signal: signal.channels),
    Measurement("peak", pa.float32(), "Largest sample of any channel; 1 is full scale", lambda s: s.peak),
    Measurement("clipped", pa.float32(), "Share (0 to 1) of samples at full scale", lambda s: s.clipped),
    Measurement("silent", pa.float32(), "Share (0 to 1) of 20 ms frames below -60 dB of full scale", silent_share),
    Measurement(
        "narrowband",
        pa.bool_(),
        "Whether nothing lies above 4 kHz, as in telephone speech, whatever the sample rate",
        is_narrowband,
    ),
)
"""All measurements, in the order of their columns."""


class AudioStats(dict[str, Any]):
    """What was measured in an utterance, by the names of MEASUREMENTS."""

    @property
    def seconds(self) -> float:
        """The length of the utterance."""
        return float(self["measured_duration"])


class BadAudio(Exception):
    """Audio that cannot be transcribed.

    `reason` is a key of `winnow.schema.QUARANTINE_REASONS`, `detail` says what was found, and `stats` has what could
    be measured.
    """

    def __init__(self, reason: str, detail: str, stats: AudioStats | None = None) -> None:
        super().__init__(reason, detail, stats)
        self.reason, self.detail, self.stats = reason, detail, stats

    def __str__(self) -> str:
        return self.reason


def measure(signal: Signal) -> AudioStats:
    """Return every measurement of a signal."""
    return AudioStats({measurement.name: measurement.measure(signal) for measurement in MEASUREMENTS})

"""What is measured in an utterance's audio, or what is wrong with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SILENCE_POWER = 1e-6  # mean square of a frame: -60 dB of full scale
MIN_POWER = 1e-5  # -50 dB; below it the noise of 16 bits hides whether a band is empty
HIGH_BAND_HZ = 4_200  # Hz; resamplers leave a little just above 4 kHz
EMPTY_BAND_SHARE = 1e-5  # of the power: upsampled telephone speech has at most -54 dB there, wideband at least -45 dB

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class AudioStats:
    """What was measured in an utterance as it is in its file; schema.SOUND says what the numbers mean."""

    seconds: float
    sample_rate: int
    channels: int
    peak: float
    clipped: float
    silent: float
    narrowband: bool | None


class BadAudio(Exception):
    """Audio that no model should hear: the reason, what was found in words, and what could be measured."""

    def __init__(self, reason: str, detail: str, stats: AudioStats | None = None) -> None:
        super().__init__(reason, detail, stats)
        self.reason, self.detail, self.stats = reason, detail, stats

    def __str__(self) -> str:
        return self.reason


def measure(samples: Samples, rate: int, channels: int, peak: float, clipped: float) -> AudioStats:
    """What there is to say of the mixed samples of a file, and of its channels."""
    size = max(1, min(rate // 50, len(samples)))  # 20 ms
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    silent = np.einsum("ij,ij->i", frames, frames) < SILENCE_POWER * size
    share = float(silent.mean()) if len(silent) else 1.0
    return AudioStats(len(samples) / rate, rate, channels, peak, clipped, share, is_narrowband(frames, rate))


def is_narrowband(frames: Samples, rate: int) -> bool | None:
    """Whether nothing lies above 4 kHz, by 32 of the frames; null where they are too quiet to tell."""
    if rate <= 2 * 4_000:
        return True
    picked = frames[np.linspace(0, len(frames) - 1, 32).astype(int)] if len(frames) else frames
    if not picked.size or np.mean(np.square(picked)) < MIN_POWER:
        return None
    power = np.square(np.abs(np.fft.rfft(picked * np.hanning(picked.shape[1]).astype(np.float32)))).sum(axis=0)
    return bool(power[-(-HIGH_BAND_HZ * picked.shape[1] // rate) :].sum() < EMPTY_BAND_SHARE * power.sum())

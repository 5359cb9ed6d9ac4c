"""Mel spectra as librosa computes them: power in triangular bands of equal area on Slaney's scale."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from winnow.listening.measure import RATE

HZ_PER_MEL = 200 / 3  # below 1 kHz, in Slaney's scale
LOG_STEP = np.log(6.4) / 27  # above

Floats = NDArray[np.float32]


def mel_power(samples: Floats, frame: int, hop: int, bands: int) -> Floats:
    """Return the power of samples at RATE, of shape (…, samples), in bands: (…, frames, bands).

    Frames of `frame` samples are centred `hop` samples apart; what lies outside of the samples is zero.
    """
    edges = [(0, 0)] * (samples.ndim - 1) + [(frame // 2, frame // 2)]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, edges), frame, axis=-1)[..., ::hop, :]
    power = np.square(np.abs(np.fft.rfft(frames * hann(frame)))).astype(np.float32)
    mel: Floats = power @ mel_filters(frame, bands).T
    return mel


@cache
def hann(frame: int) -> Floats:
    """Return a periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)).astype(np.float32)


@cache
def mel_filters(frame: int, bands: int) -> Floats:
    """Return the filters, of shape (bands, frequencies)."""
    frequencies = np.fft.rfftfreq(frame, 1 / RATE)
    edges = mel_to_hz(np.linspace(0, 15 + np.log(RATE / 2 / 1000) / LOG_STEP, bands + 2))
    widths, distances = np.diff(edges), edges[:, None] - frequencies
    rising, falling = -distances[:-2] / widths[:-1, None], distances[2:] / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    filters: Floats = (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    return filters


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return frequencies on Slaney's scale: linear up to 15 mel (1 kHz), then logarithmic."""
    return np.where(mel < 15, mel * HZ_PER_MEL, 1000 * np.exp(LOG_STEP * (np.maximum(mel, 15) - 15)))

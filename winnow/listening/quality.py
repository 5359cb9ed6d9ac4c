"""How good the audio sounds: DNSMOS P.835 and P.808, with the models that the package `speechmos` carries.

The values are those of its function `run`, which computes each window by itself and needs librosa. Reddy, Gopal and
Cutler, "DNSMOS P.835", ICASSP 2022; https://github.com/microsoft/DNS-Challenge
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from winnow.audio.onnx_models import open_onnx, packaged_file
from winnow.listening.measure import RATE, AudioMeasure, Column, Sound, Value, onnx_versions
from winnow.listening.mel import Floats, mel_power

WINDOW_SECONDS = 9.01
WINDOW = int(WINDOW_SECONDS * RATE)  # samples
WINDOWS_PER_CALL = 8  # more need memory and save no time

FRAME = 321  # samples of a Fourier transform
HOP = 160  # samples
BANDS = 120
LOWEST_POWER = 1e-10
DYNAMIC_RANGE = 80.0  # dB below the loudest band of a window

SIGNAL = (-0.08397278, 1.22083953, 0.0052439)
BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)
OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""Polynomials that map what the model of P.835 returns to mean opinion scores."""


class Quality(AudioMeasure):
    """Mean opinion scores from 1 to 5, each the mean over windows of 9.01 s that begin a second apart."""

    name = "quality"
    packages = {"onnxruntime": "onnxruntime", "speechmos": "speechmos"}  # noqa: RUF012
    columns = (
        Column("dnsmos", "number", "Overall quality by DNSMOS P.835 (OVRL), from 1 (bad) to 5 (excellent)"),
        Column("dnsmos_signal", "number", "Quality of the speech by DNSMOS P.835 (SIG), from 1 to 5"),
        Column("dnsmos_background", "number", "How little noise disturbs, by DNSMOS P.835 (BAK), from 1 to 5"),
        Column("dnsmos_p808", "number", "Overall quality by DNSMOS P.808, from 1 to 5"),
    )

    def versions(self) -> dict[str, str]:
        return onnx_versions(*models()) | {"numpy": np.__version__, "method": "1"}

    def measure(self, sound: Sound) -> dict[str, Value]:
        windows = cut_windows(sound.samples)
        if not windows:
            return {}
        p835, p808 = map(load, models())
        ratings, overall = [], []
        for start in range(0, len(windows), WINDOWS_PER_CALL):
            batch = np.stack(windows[start : start + WINDOWS_PER_CALL])
            ratings.append(p835.run(None, {"input_1": batch})[0])
            overall.append(p808.run(None, {"input_1": mel_features(batch[:, :-HOP])})[0])
        signal, background, overall_p835 = np.concatenate(ratings).astype(np.float64).T
        return {
            "dnsmos": float(np.polyval(OVERALL, overall_p835).mean()),
            "dnsmos_signal": float(np.polyval(SIGNAL, signal).mean()),
            "dnsmos_background": float(np.polyval(BACKGROUND, background).mean()),
            "dnsmos_p808": float(np.concatenate(overall).mean(dtype=np.float64)),
        }


def models() -> tuple[Path, Path]:
    """Return the files of the models of P.835 and of P.808."""
    return (
        packaged_file("speechmos", "dnsmos_models/sig_bak_ovr.onnx"),
        packaged_file("speechmos", "dnsmos_models/model_v8.onnx"),
    )


@cache
def load(model: Path) -> Any:
    return open_onnx(model)


def cut_windows(samples: Floats) -> list[Floats]:
    """Cut samples, repeated until they fill a window, into windows that begin a second apart."""
    if not len(samples):
        return []
    while len(samples) < WINDOW:
        samples = np.concatenate([samples, samples])
    count = int(len(samples) // RATE - WINDOW_SECONDS) + 1
    # as in `speechmos`: where its sum of seconds is rounded down, the window is one sample short and left out
    ends = {second: int((second + WINDOW_SECONDS) * RATE) for second in range(count)}
    windows = (samples[second * RATE : end] for second, end in ends.items())
    return [window for window in windows if len(window) == WINDOW]


def mel_features(windows: Floats) -> Floats:
    """Return log-mel features of windows, of shape (windows, frames, BANDS), as librosa computes them."""
    mel = np.maximum(mel_power(windows, FRAME, HOP, BANDS), LOWEST_POWER)
    decibel = 10 * np.log10(mel / mel.max(axis=(1, 2), keepdims=True))
    features: Floats = ((np.maximum(decibel, -DYNAMIC_RANGE) + 40) / 40).astype(np.float32)
    return features

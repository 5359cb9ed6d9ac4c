"""How good the audio sounds: DNSMOS P.835 and P.808, with the models that the package `speechmos` carries.

The values are those of its function `run`, which computes each window by itself and needs librosa. Reddy, Gopal and
Cutler, "DNSMOS P.835", ICASSP 2022; https://github.com/microsoft/DNS-Challenge
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from winnow.audio.onnx_models import open_onnx, packaged_file
from winnow.listening.measure import RATE, AudioMeasure, Column, Sound, Value, onnx_versions
from winnow.listening.mel import Floats, mel_power
from winnow.listening.shared_frames import rate_windows

WINDOW_SECONDS = 9.01
WINDOW = int(WINDOW_SECONDS * RATE)  # samples
WINDOWS_PER_CALL = 8  # more need memory and save no time

FRAME = 321  # samples of a Fourier transform
HOP = 160  # samples
FRAMES = WINDOW // HOP - 1  # of a window
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
    packages = {"onnx": "onnx", "onnxruntime": "onnxruntime", "speechmos": "speechmos"}  # noqa: RUF012
    columns = (
        Column("dnsmos", "number", "Overall quality by DNSMOS P.835 (OVRL), from 1 (bad) to 5 (excellent)"),
        Column("dnsmos_signal", "number", "Quality of the speech by DNSMOS P.835 (SIG), from 1 to 5"),
        Column("dnsmos_background", "number", "How little noise disturbs, by DNSMOS P.835 (BAK), from 1 to 5"),
        Column("dnsmos_p808", "number", "Overall quality by DNSMOS P.808, from 1 to 5"),
    )

    def versions(self) -> dict[str, str]:
        return onnx_versions(*models()) | {"numpy": np.__version__, "method": "2"}

    def measure(self, sound: Sound) -> dict[str, Value]:
        samples = repeated(sound.samples)
        seconds = window_starts(samples)
        if not seconds:
            return {}
        p835, p808 = models()
        signal, background, overall = rate_windows(p835, samples, seconds).astype(np.float64).T
        overall_p808 = [load(p808).run(None, {"input_1": batch})[0] for batch in mel_features(samples, seconds)]
        return {
            "dnsmos": float(np.polyval(OVERALL, overall).mean()),
            "dnsmos_signal": float(np.polyval(SIGNAL, signal).mean()),
            "dnsmos_background": float(np.polyval(BACKGROUND, background).mean()),
            "dnsmos_p808": float(np.concatenate(overall_p808).mean(dtype=np.float64)),
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


def repeated(samples: Floats) -> Floats:
    """Return samples, repeated until they fill a window."""
    while 0 < len(samples) < WINDOW:
        samples = np.concatenate([samples, samples])
    return samples


def window_starts(samples: Floats) -> list[int]:
    """Return where the windows of samples that fill at least one begin, in seconds; none of no samples."""
    if not len(samples):
        return []
    count = int(len(samples) // RATE - WINDOW_SECONDS) + 1
    # as in `speechmos`: where its sum of seconds is rounded down, the window is one sample short and left out
    ends = {second: int((second + WINDOW_SECONDS) * RATE) for second in range(count)}
    return [second for second, end in ends.items() if end <= len(samples) and end - second * RATE == WINDOW]


def mel_features(samples: Floats, seconds: list[int]) -> Iterator[Floats]:
    """Yield log-mel features of windows that begin at these seconds, of shape (windows, frames, BANDS), in batches.

    They are those that librosa computes of each window without its last HOP samples.
    """
    for number in range(0, len(seconds), WINDOWS_PER_CALL):
        starts = [second * RATE for second in seconds[number : number + WINDOWS_PER_CALL]]
        begin, end = starts[0], starts[-1] + FRAMES * HOP
        power = mel_power(samples[begin:end], FRAME, HOP, BANDS)
        windows = np.stack([power[(start - begin) // HOP :][:FRAMES] for start in starts])
        for window, start in zip(windows, starts, strict=True):  # what is outside of a window is zero
            whole = samples[start : start + FRAMES * HOP]
            window[0] = mel_power(whole[: FRAME // 2 + 1], FRAME, HOP, BANDS)[0]
            window[-1] = mel_power(whole[1 - FRAME :], FRAME, HOP, BANDS)[-1]
        yield normalized(windows)


def normalized(power: Floats) -> Floats:
    """Return the power of windows in dB below the loudest band of each, as the model of P.808 takes it."""
    mel = np.maximum(power, LOWEST_POWER)
    decibel = 10 * np.log10(mel / mel.max(axis=(1, 2), keepdims=True))
    features: Floats = ((np.maximum(decibel, -DYNAMIC_RANGE) + 40) / 40).astype(np.float32)
    return features

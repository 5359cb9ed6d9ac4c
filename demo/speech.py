"""Speech from espeak-ng in many voices, and the noise that is laid over it."""

import io
import itertools
import subprocess
from dataclasses import dataclass
from random import Random

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from demo.fastconformer import SAMPLE_RATE

ACCENTS = "en-us en-gb en-gb-scotland en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd en-029 en-us-nyc".split()
TRAINING_VARIANTS = (
    "m1 m2 m3 m4 m7 f1 f2 f5 klatt2 klatt4 Andy Annie Mike Alicia Michael adam steph linda boris caleb ed max john"
).split()
CORPUS_VARIANTS = "m5 m6 m8 f3 f4 Gene Andrea rob Mario Hugo belinda shelby".split()
NOISES = "white pink brown hum babble".split()

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Voice:
    """An espeak-ng voice: accent, variant, pitch (0 to 99) and speed (words a minute)."""

    accent: str
    variant: str
    pitch: int
    speed: int

    def __str__(self) -> str:
        return f"{self.accent}+{self.variant} pitch {self.pitch} speed {self.speed}"


def any_voice(pick: Random, variants: list[str]) -> Voice:
    return Voice(pick.choice(ACCENTS), pick.choice(variants), pick.randint(25, 75), pick.randint(130, 200))


def corpus_voices(seed: int) -> list[Voice]:
    """Twenty-four voices, two of each variant that training never hears."""
    pick = Random(seed)
    accents = itertools.cycle(ACCENTS)
    return [
        Voice(next(accents), variant, pick.randint(30, 70), pick.randint(135, 190)) for variant in CORPUS_VARIANTS * 2
    ]


def say(text: str, voice: Voice) -> Samples:
    """The text spoken, mono at 16 kHz, peak 0.5."""
    wav = subprocess.run(
        ["espeak-ng", "-v", f"{voice.accent}+{voice.variant}"]
        + ["-p", str(voice.pitch), "-s", str(voice.speed), "--stdout", text],
        check=True,
        capture_output=True,
    ).stdout
    # espeak-ng writes a header that promises 2 GB when it writes to a pipe: the samples start at byte 44.
    samples, rate = soundfile.read(
        io.BytesIO(wav[44:]),
        dtype="float32",
        samplerate=22_050,
        channels=1,
        subtype="PCM_16",
        format="RAW",
    )
    speech = soxr.resample(samples, rate, SAMPLE_RATE).astype(np.float32)
    loudest = max(float(np.abs(speech).max()), 1e-6)
    return np.asarray(0.5 * speech / loudest, np.float32)


def noise(kind: str, length: int, pick: np.random.Generator, others: list[Samples]) -> Samples:
    """Noise of `length` samples at power one; babble is made of `others`, four voices at a time."""
    if kind == "babble" and others:
        voices = [np.resize(others[pick.integers(len(others))], length) for _ in range(4)]
        made = np.sum([np.roll(voice, pick.integers(length)) for voice in voices], axis=0)
    elif kind == "hum":
        at = np.arange(length) / SAMPLE_RATE
        base = pick.uniform(48, 62)
        made = sum(np.sin(2 * np.pi * base * h * at + pick.uniform(0, 6)) / h for h in range(1, 12))
        made = made + 0.2 * pick.standard_normal(length)
    else:
        slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}.get(kind, 0.0)
        size = -(-length // 4096) * 4096  # an FFT of a prime length is slow
        spectrum = np.fft.rfft(pick.standard_normal(size))
        hertz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 30)
        made = np.fft.irfft(spectrum / hertz**slope, size)[:length]
    return np.asarray(made / max(float(np.sqrt(np.mean(made**2))), 1e-6), np.float32)


def with_noise(speech: Samples, added: Samples, snr: float) -> Samples:
    """Speech and noise at a signal-to-noise ratio in dB over the whole utterance, peak at most 0.9."""
    power = float(np.sqrt(np.mean(speech**2)))
    mixed = speech + added * power * 10 ** (-snr / 20)
    return np.asarray(mixed * min(1.0, 0.9 / float(np.abs(mixed).max())), np.float32)

"""Speech from espeak-ng in many voices, and the noise that is mixed into it."""

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
    """An espeak-ng voice: accent, variant, pitch (0 to 99) and speed (words per minute)."""

    accent: str
    variant: str
    pitch: int
    speed: int

    def __str__(self) -> str:
        return f"{self.accent}+{self.variant} pitch {self.pitch} speed {self.speed}"


def random_voice(rng: Random, variants: list[str]) -> Voice:
    """Draw a voice with any accent and one of these variants."""
    return Voice(rng.choice(ACCENTS), rng.choice(variants), rng.randint(25, 75), rng.randint(130, 200))


def corpus_voices(seed: int) -> list[Voice]:
    """Return the corpus's 24 voices, two of each variant that is not used in training."""
    rng = Random(seed)
    accents = itertools.cycle(ACCENTS)
    return [
        Voice(next(accents), variant, rng.randint(30, 70), rng.randint(135, 190)) for variant in CORPUS_VARIANTS * 2
    ]


def speak(text: str, voice: Voice) -> Samples:
    """Synthesize a text: mono, 16 kHz, peak 0.5."""
    wav = subprocess.run(
        ["espeak-ng", "-v", f"{voice.accent}+{voice.variant}"]
        + ["-p", str(voice.pitch), "-s", str(voice.speed), "--stdout", text],
        check=True,
        capture_output=True,
    ).stdout
    # Into a pipe espeak-ng writes a header that claims 2 GB; the samples start at byte 44.
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


def make_noise(kind: str, length: int, rng: np.random.Generator, others: list[Samples]) -> Samples:
    """Return noise of `length` samples with a root mean square of 1; babble mixes four of the `others`."""
    if kind == "babble" and others:
        voices = [np.resize(others[rng.integers(len(others))], length) for _ in range(4)]
        noise = np.sum([np.roll(voice, rng.integers(length)) for voice in voices], axis=0)
    elif kind == "hum":
        time = np.arange(length) / SAMPLE_RATE
        base = rng.uniform(48, 62)
        noise = sum(np.sin(2 * np.pi * base * h * time + rng.uniform(0, 6)) / h for h in range(1, 12))
        noise = noise + 0.2 * rng.standard_normal(length)
    else:
        slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}.get(kind, 0.0)
        size = -(-length // 4096) * 4096  # an FFT of a prime length is slow
        spectrum = np.fft.rfft(rng.standard_normal(size))
        hertz = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 30)
        noise = np.fft.irfft(spectrum / hertz**slope, size)[:length]
    return np.asarray(noise / max(float(np.sqrt(np.mean(noise**2))), 1e-6), np.float32)


def mix_noise(speech: Samples, added: Samples, snr: float) -> Samples:
    """Mix speech and noise at a signal-to-noise ratio in dB over the whole utterance; peak at most 0.9."""
    power = float(np.sqrt(np.mean(speech**2)))
    mixed = speech + added * power * 10 ** (-snr / 20)
    return np.asarray(mixed * min(1.0, 0.9 / float(np.abs(mixed).max())), np.float32)

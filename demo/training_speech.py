"""The training data of the demo's models: clean speech, synthesized once, with new noise in every batch."""

import concurrent.futures
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from demo.fastconformer import SAMPLE_RATE
from demo.grammar import sentence
from demo.speech import NOISES, TRAINING_VARIANTS, Samples, make_noise, mix_noise, random_voice, speak

BUILD = Path(__file__).parent / "build"
UTTERANCES, HELD_OUT = 9_000, 150
TRAINING_SEED = 1


@dataclass(frozen=True)
class TrainingSpeech:
    """Clean utterances and their texts; utterance i is `samples[starts[i] : starts[i + 1]]`, int16 at 16 kHz."""

    samples: NDArray[np.int16]
    starts: NDArray[np.int64]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def seconds(self, i: int) -> float:
        """Return the duration of an utterance."""
        return float(self.starts[i + 1] - self.starts[i]) / SAMPLE_RATE

    def clean(self, i: int) -> Samples:
        """Return an utterance without noise."""
        return self.samples[self.starts[i] : self.starts[i + 1]].astype(np.float32) / np.float32(32768)

    def noisy(self, i: int, rng: np.random.Generator) -> Samples:
        """Return an utterance with random noise at 3 to 40 dB and a random volume."""
        others = [self.clean(int(j)) for j in rng.integers(len(self), size=4)]
        speech = self.clean(i)
        kind = NOISES[rng.integers(len(NOISES))]
        mixed = mix_noise(speech, make_noise(kind, len(speech), rng, others), rng.uniform(3, 40))
        return mixed * np.float32(rng.uniform(0.2, 1.1))


def training_texts(rng: Random) -> list[str]:
    """Return the sentences of the training speech, from a generator seeded with TRAINING_SEED."""
    return [sentence(rng) for _ in range(UTTERANCES)]


def load_speech() -> TrainingSpeech:
    """Return the training speech; it is synthesized once and kept in demo/build."""
    arrays, texts_file = BUILD / "speech.npz", BUILD / "speech.txt"
    if not texts_file.exists():
        BUILD.mkdir(exist_ok=True)
        rng = Random(TRAINING_SEED)
        texts = training_texts(rng)
        voices = [random_voice(rng, TRAINING_VARIANTS) for _ in texts]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            spoken = [(samples * 32767).astype(np.int16) for samples in pool.map(speak, texts, voices)]
        np.savez(arrays, samples=np.concatenate(spoken), starts=np.cumsum([0, *map(len, spoken)]))
        texts_file.write_text("\n".join(texts))
    stored = np.load(arrays)
    return TrainingSpeech(stored["samples"], stored["starts"], texts_file.read_text().splitlines())


def training_batches(data: TrainingSpeech, seconds: float, seed: int) -> Iterator[list[int]]:
    """Yield batches of utterances of similar length, about `seconds` each, in random order.

    The first epoch has only utterances shorter than 3 s, because they are easier.
    """
    rng = Random(seed)
    for epoch in range(1_000_000):
        order = list(range(HELD_OUT, len(data)))
        if epoch == 0:
            order = [i for i in order if data.seconds(i) < 3.0]
        order.sort(key=lambda i: data.seconds(i) + rng.uniform(-0.3, 0.3))
        groups: list[list[int]] = [[]]
        for i in order:
            if groups[-1] and (len(groups[-1]) + 1) * data.seconds(i) > seconds:
                groups.append([])
            groups[-1].append(i)
        rng.shuffle(groups)
        yield from groups

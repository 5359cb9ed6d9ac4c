"""What the demo's models are trained on: clean speech made once, noise laid over it anew for every batch."""

import concurrent.futures
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from demo.fastconformer import SAMPLE_RATE
from demo.grammar import sentence
from demo.speech import NOISES, TRAINING_VARIANTS, Samples, any_voice, noise, say, with_noise

BUILD = Path(__file__).parent / "build"
UTTERANCES, HELD_OUT = 9_000, 150
TRAINING_SEED = 1


@dataclass(frozen=True)
class Speech:
    """Clean utterances, int16 in one array, with their texts."""

    samples: NDArray[np.int16]
    starts: NDArray[np.int64]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def seconds(self, i: int) -> float:
        return float(self.starts[i + 1] - self.starts[i]) / SAMPLE_RATE

    def clean(self, i: int) -> Samples:
        return self.samples[self.starts[i] : self.starts[i + 1]].astype(np.float32) / np.float32(32768)

    def noisy(self, i: int, pick: np.random.Generator) -> Samples:
        others = [self.clean(int(j)) for j in pick.integers(len(self), size=4)]
        speech = self.clean(i)
        kind = NOISES[pick.integers(len(NOISES))]
        mixed = with_noise(speech, noise(kind, len(speech), pick, others), pick.uniform(3, 40))
        return mixed * np.float32(pick.uniform(0.2, 1.1))


def training_texts(pick: Random) -> list[str]:
    """What the training speech says, by a generator that was seeded with TRAINING_SEED."""
    return [sentence(pick) for _ in range(UTTERANCES)]


def speech() -> Speech:
    """The training speech, made once and kept under demo/build."""
    arrays, words = BUILD / "speech.npz", BUILD / "speech.txt"
    if not words.exists():
        BUILD.mkdir(exist_ok=True)
        pick = Random(TRAINING_SEED)
        texts = training_texts(pick)
        voices = [any_voice(pick, TRAINING_VARIANTS) for _ in texts]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            spoken = [(x * 32767).astype(np.int16) for x in pool.map(say, texts, voices)]
        np.savez(arrays, samples=np.concatenate(spoken), starts=np.cumsum([0, *map(len, spoken)]))
        words.write_text("\n".join(texts))
    kept = np.load(arrays)
    return Speech(kept["samples"], kept["starts"], words.read_text().splitlines())


def batches(data: Speech, seconds: float, seed: int) -> Iterator[list[int]]:
    """Utterances of like length, about `seconds` a batch, in random order; the first epoch is short and easy."""
    shuffle = Random(seed)
    for epoch in range(1_000_000):
        order = list(range(HELD_OUT, len(data)))
        if epoch == 0:
            order = [i for i in order if data.seconds(i) < 3.0]
        order.sort(key=lambda i: data.seconds(i) + shuffle.uniform(-0.3, 0.3))
        groups: list[list[int]] = [[]]
        for i in order:
            if groups[-1] and (len(groups[-1]) + 1) * data.seconds(i) > seconds:
                groups.append([])
            groups[-1].append(i)
        shuffle.shuffle(groups)
        yield from groups

"""The word error rate of ensembles of the demo's three checkpoints in noise, compared with each checkpoint.

python -m benchmarks.ensemble            # the tables of demo/README.md
python -m benchmarks.ensemble --tune     # other speech, by which ROVER's defaults were chosen (needs espeak-ng)
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from random import Random

import numpy as np
import soundfile
from rapidfuzz.distance import Levenshtein

from demo.__main__ import pinned
from demo.corpus import CORPUS
from demo.fastconformer import SAMPLE_RATE
from demo.grammar import sentence
from demo.speech import NOISES, Samples, corpus_voices, make_noise, mix_noise, speak
from demo.training_speech import TRAINING_SEED, training_texts
from winnow.audio.decode import load_clip
from winnow.engines.engine import Request
from winnow.engines.isolation import transcribe_here
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis
from winnow.text.normalize import normalize
from winnow.text.rover import VoteWeights, most_confident, rover

MODELS = ("small", "large", "third")
LOUD = (0.0, 10.0)  # dB: the range of signal-to-noise ratios after noise is added to the demo corpus
SEED = 7


@dataclass(frozen=True)
class Spoken:
    """An utterance: what was said, its file, and its signal-to-noise ratio (dB)."""

    text: str
    path: Path
    snr: float


def demo_speech() -> list[Spoken]:
    """List the demo's 435 undamaged utterances, each with its true text."""
    rows = []
    for line in (CORPUS / "manifest.jsonl").read_text().splitlines():
        if line.startswith('{"audio_filepath": "audio/') and line.endswith("}"):
            row = json.loads(line)
            if Path(row["audio_filepath"]).stem.isdigit():
                rows.append(Spoken(row["true_text"], CORPUS / row["audio_filepath"], row["snr"]))
    return rows


def add_noise(spoken: list[Spoken], folder: Path) -> Iterator[Spoken]:
    """Yield the same with more noise, of the five kinds in turn, at a signal-to-noise ratio of LOUD decibels."""
    pick = np.random.default_rng(SEED)
    speech = [load_clip(str(utterance.path), None, None, SAMPLE_RATE, 60.0).samples for utterance in spoken]
    for i, (utterance, samples) in enumerate(zip(spoken, speech, strict=True)):
        snr = float(pick.uniform(*LOUD))
        noise = make_noise(NOISES[i % len(NOISES)], len(samples), pick, speech)
        yield write_utterance(folder / f"{i:03}.wav", utterance.text, mix_noise(samples, noise, snr), snr)


def other_speech(folder: Path, utterances: int = 300) -> Iterator[Spoken]:
    """Yield sentences unknown to the demo and its models, by its voices at other pitch and speed, in the same noise."""
    words, pick, voices = Random(SEED), np.random.default_rng(SEED + 1), corpus_voices(SEED)
    known = {*training_texts(Random(TRAINING_SEED)), *(utterance.text for utterance in demo_speech())}
    texts = list(islice((text for _ in iter(int, 1) if (text := sentence(words)) not in known), utterances))
    speech = [speak(text, voices[i % len(voices)]) for i, text in enumerate(texts)]
    for i, (text, samples) in enumerate(zip(texts, speech, strict=True)):
        snr = float(pick.uniform(*LOUD))
        noise = make_noise(NOISES[i % len(NOISES)], len(samples), pick, speech)
        yield write_utterance(folder / f"{i:03}.wav", text, mix_noise(samples, noise, snr), snr)


def write_utterance(path: Path, text: str, samples: Samples, snr: float) -> Spoken:
    soundfile.write(path, samples, SAMPLE_RATE)
    return Spoken(text, path, snr)


def transcribe_utterances(spoken: list[Spoken]) -> list[list[Hypothesis]]:
    """Return for each utterance the hypotheses of MODELS."""
    requests = [Request(str(utterance.path), None, None) for utterance in spoken]
    results = [transcribe_here(resolve(pinned(name)), EngineOptions(), requests)[0] for name in MODELS]
    return [[result.hypothesis for result in row if result.hypothesis] for row in zip(*results, strict=True)]


Method = Callable[[list[Hypothesis]], str]


def rover_method(**how: float | None) -> Method:
    return lambda row: rover(row, "basic", VoteWeights(**how)).text


def methods() -> dict[str, Method]:
    """Return ways to make one text of the hypotheses; the first three take that of one model."""
    alone: dict[str, Method] = {name: lambda row, i=i: row[i].text for i, name in enumerate(MODELS)}  # type: ignore[misc]
    return alone | {
        "ROVER": rover_method(),
        "ROVER, votes only": rover_method(alpha=1.0),
        "ROVER, unscaled confidences, null confidence 0.5": rover_method(exponent=1.0, null_confidence=0.5),
        "highest confidence": lambda row: most_confident(row, "basic")[0].text,
    }


def word_error_rate(spoken: list[Spoken], rows: list[list[Hypothesis]], method: Method) -> float:
    """Return the errors of all utterances divided by their words."""
    pairs = [
        (utterance.text.split(), normalize(method(row), "basic").split())
        for utterance, row in zip(spoken, rows, strict=True)
    ]
    return sum(Levenshtein.distance(*pair) for pair in pairs) / sum(len(words) for words, _ in pairs)


def compare() -> Iterator[list[str]]:
    """Yield the WER of each method on the demo corpus, also with more noise, and then the WER by agreement."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = demo_speech()
        loud = list(add_noise(spoken, Path(folder)))
        rows, loud_rows = transcribe_utterances(spoken), transcribe_utterances(loud)
    parts = {
        "the demo": up_to_snr(spoken, rows, 30),
        "the demo, SNR up to 10 dB": up_to_snr(spoken, rows, 10),
        "more noise, SNR 0 to 10 dB": up_to_snr(loud, loud_rows, 10),
        "more noise, SNR 0 to 5 dB": up_to_snr(loud, loud_rows, 5),
    }
    yield ["", *(f"{name} ({len(some)})" for name, (some, _) in parts.items())]
    yield ["---"] * (1 + len(parts))
    for name, method in methods().items():
        yield [name, *(f"{word_error_rate(some, hypotheses, method):.2%}" for some, hypotheses in parts.values())]
    yield []
    yield ["agreement at least", "the demo", "WER of ROVER", "more noise, SNR 0 to 10 dB", "WER of ROVER"]
    yield ["---"] * 5
    for least in ("each word of most models", 1.0, 0.9, 0.8, 0.7, 0.6, 0.0):
        kept = [with_agreement(spoken, rows, least), with_agreement(loud, loud_rows, least)]
        yield [
            f"{least}",
            *(c for part in kept for c in (f"{len(part[0])}", f"{word_error_rate(*part, rover_method()):.2%}")),
        ]


def with_agreement(
    spoken: list[Spoken], rows: list[list[Hypothesis]], least: float | str
) -> tuple[list[Spoken], list[list[Hypothesis]]]:
    """Return the utterances with at least this agreement, or for a text those that are labels by default."""
    agreed = [rover(row, "basic", VoteWeights()) for row in rows]
    labels = [
        (vote.lowest_agreement or 0.0) > 0.5 if isinstance(least, str) else (vote.agreement or 0.0) >= least
        for vote in agreed
    ]
    at = [i for i, label in enumerate(labels) if label]
    return [spoken[i] for i in at], [rows[i] for i in at]


def up_to_snr(
    spoken: list[Spoken], rows: list[list[Hypothesis]], snr: float
) -> tuple[list[Spoken], list[list[Hypothesis]]]:
    """Return the utterances with at most this signal-to-noise ratio (dB), and their hypotheses."""
    at = [i for i, utterance in enumerate(spoken) if utterance.snr <= snr]
    return [spoken[i] for i in at], [rows[i] for i in at]


def tune() -> Iterator[list[str]]:
    """Yield the WER on other speech by alpha (across), null_confidence and exponent (down)."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = list(other_speech(Path(folder)))
        rows = transcribe_utterances(spoken)
    for name, method in methods().items():
        yield [name, f"{word_error_rate(spoken, rows, method):.2%}"]
    alphas = [step / 5 for step in range(6)]
    yield ["null_confidence", "exponent", *(f"alpha {alpha}" for alpha in alphas)]
    for null_confidence, exponent in product((None, 0.1, 0.3, 0.5, 0.7), (1.0, 0.5, 0.25, 0.125)):
        variants = [rover_method(alpha=alpha, exponent=exponent, null_confidence=null_confidence) for alpha in alphas]
        yield [
            f"{null_confidence}",
            f"{exponent}",
            *(f"{word_error_rate(spoken, rows, method):.2%}" for method in variants),
        ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="measure ROVER's parameters on other speech")
    for row in tune() if parser.parse_args().tune else compare():
        print(f"| {' | '.join(row)} |" if row else "")

"""Long recordings with planted faults, and how well `winnow segment` finds them.

    python -m benchmarks.long_recordings FOLDER [--minutes 20] [--seed 1] [--model demo/large.nemo]

The speech is espeak-ng's, as in the demo, whose words the demo's checkpoints know. Each recording has pauses, noise and
music (tones). Its text has sentences that nobody says and lacks some that are said, and two chapters are swapped.
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import soundfile
from rapidfuzz.distance import LCSseq

from demo.fastconformer import SAMPLE_RATE
from demo.grammar import sentence
from demo.speech import NOISES, Samples, Voice, corpus_voices, make_noise, mix_noise, speak
from flows.orchestrator import InProcess
from flows.segment import run_segmentation
from winnow.parameters.segment import Segment
from winnow.runs import ledger
from winnow.runs.shard_files import read_schema
from winnow.segmenting.verify import verify_segmentation

UNSAID, UNWRITTEN = 0.05, 0.05  # of the sentences
MUSIC_EVERY = 40  # sentences
MARGIN = 0.1  # seconds of pauses that a segment has at either end
ROOT = Path(__file__).parent.parent


@dataclass
class Sentence:
    """A sentence of a recording: its fate, and where it is said, in seconds."""

    text: str
    said: bool
    written: bool
    chapter: int
    start: float = 0.0
    end: float = 0.0


def plan(rng: Random, count: int) -> list[Sentence]:
    """Draw sentences in the order in which they are said, in five chapters."""
    sentences = []
    for number in range(count):
        fate = rng.random()
        sentences.append(
            Sentence(sentence(rng), fate >= UNSAID, not UNSAID <= fate < UNSAID + UNWRITTEN, 5 * number // count)
        )
    return sentences


def text_of(sentences: list[Sentence]) -> str:
    """Return the text: the second chapter comes after the third, sentences begin with a capital and end with a stop."""
    written = [item for item in sentences if item.written]
    written.sort(key=lambda item: {1: 2, 2: 1}.get(item.chapter, item.chapter))
    return " ".join(item.text.capitalize() + "." for item in written)


def record(sentences: list[Sentence], voice: Voice, seed: int, music_every: int) -> Samples:
    """Say the sentences, with pauses of 0.2 to 2.5 s and music between them, in noise; note where each is said."""
    rng, noise_rng = Random(seed), np.random.default_rng(seed)
    said = [item for item in sentences if item.said]
    with ThreadPoolExecutor() as pool:
        spoken = list(pool.map(lambda item: trimmed(speak(item.text, voice)), said))
    parts, length = [], 0
    for number, (item, samples) in enumerate(zip(said, spoken, strict=True)):
        pause = np.zeros(round(rng.choice((0.2, 0.4, 0.7, 1.0, 2.5)) * SAMPLE_RATE), np.float32)
        between = music(rng) if number % music_every == music_every // 2 else pause
        length += len(between)
        item.start, item.end = length / SAMPLE_RATE, (length + len(samples)) / SAMPLE_RATE
        length += len(samples)
        parts += [between, samples]
    whole = np.concatenate([*parts, np.zeros(SAMPLE_RATE, np.float32)])
    noise = make_noise(NOISES[seed % (len(NOISES) - 1)], len(whole), noise_rng, [])
    return np.asarray(mix_noise(whole, noise, 20), np.float32)


def trimmed(samples: Samples) -> Samples:
    """Cut the silence before and after speech."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1]


def music(rng: Random) -> Samples:
    """Return eight seconds of chords, with a second of silence around them."""
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    chords = []
    for _ in range(16):
        base = rng.choice((220.0, 261.6, 293.7, 329.6))
        fade = np.exp(-3 * time)
        chords.append(sum(np.sin(2 * np.pi * base * step * time) for step in (1, 1.25, 1.5, 2)) * fade * 0.1)
    return np.concatenate([np.zeros(SAMPLE_RATE), *chords, np.zeros(SAMPLE_RATE)]).astype(np.float32)


def make_corpus(
    folder: Path, recordings: int, minutes: float, seed: int, music_every: int = MUSIC_EVERY
) -> list[list[Sentence]]:
    """Write recordings and their manifest; return what is said in each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, voices, lines, truth = Random(seed), corpus_voices(seed), [], []
    for number in range(recordings):
        sentences = plan(rng, round(minutes * 60 / 4.2))
        samples = record(sentences, rng.choice(voices), seed * 100 + number, music_every)
        soundfile.write(folder / f"{number}.flac", samples, SAMPLE_RATE)
        lines.append(json.dumps({"audio_filepath": f"{number}.flac", "text": text_of(sentences), "lang": "en"}) + "\n")
        truth.append(sentences)
    (folder / "corpus.jsonl").write_text("".join(lines))
    return truth


def measure(output: Path, truth: list[list[Sentence]]) -> dict[str, float | int]:
    """Compare segments with what was said: each sentence with the text of the segments at its place."""
    segments, others = ([*lines_of(output / name)] for name in ("manifest.jsonl", "left_out.jsonl"))
    words = right = wrong = unwritten = found = unsaid = missed = 0
    edges: list[float] = []
    for number, sentences in enumerate(truth, 1):
        own = [line for line in segments if line["recording"] == number]
        apart = [line for line in others if line["recording"] == number and line["part"] == "left out"]
        unplaced = [
            line["text"].split() for line in others if line["recording"] == number and line["part"] == "unplaced"
        ]
        starts = [item.start for item in sentences if item.said]
        ends = [item.end for item in sentences if item.said]
        for line in own:
            edges.append(min(abs(line["offset"] + MARGIN - start) for start in starts))
            edges.append(min(abs(line["offset"] + line["duration"] - MARGIN - end) for end in ends))
            said = [
                word
                for item in sentences
                if item.said and item.written and overlap(line, item) > 0
                for word in plain(item)
            ]
            text = line["text"].lower().replace(".", "").split()
            wrong += len(text) - LCSseq.similarity(said, text)
        for item in sentences:
            here = [line for line in own if overlap(line, item) > 0]
            if item.said and item.written:
                text = [word for line in here for word in line["text"].lower().replace(".", "").split()]
                words += len(plain(item))
                right += LCSseq.similarity(plain(item), text)
            elif item.said:
                unwritten += 1
                found += sum(max(0.0, overlap(line, item)) for line in apart) > 0.5 * (item.end - item.start)
            elif item.written:
                unsaid += 1
                missed += not any(is_part(item, text) for text in unplaced)
    return {
        "words that are said and written": words,
        "share in the right segment": right / words,
        "words in a segment where nobody says them": wrong,
        "boundaries, median error in s": median(edges),
        "sentences that nobody says": unsaid,
        "of them not found whole": missed,
        "sentences that are not written": unwritten,
        "of these not found": unwritten - found,
        "segments": len(segments),
    }


def plain(item: Sentence) -> list[str]:
    return item.text.split()


def is_part(item: Sentence, text: list[str]) -> bool:
    """Tell whether the whole sentence is in a text."""
    return item.text in " ".join(text).lower().replace(".", "")


def overlap(line: dict, item: Sentence) -> float:
    return min(line["offset"] + line["duration"], item.end) - max(line["offset"], item.start)


def aligning_seconds(output: Path) -> dict[str, float]:
    """Return how long the model read the segments, and how long their text was aligned with them, in seconds."""
    seconds = {"reading": 0.0, "aligning": 0.0}
    for record in ledger.read_records(output).values():
        names = [read_schema(output / name).names for name in record["files"]]
        is_reading = record["stage"].startswith("transcribe") and "end_word" not in names[0]
        if is_reading or record["stage"] in ("ask", "place") or "end_word" in names[0]:
            seconds["reading" if is_reading else "aligning"] += record["facts"]["wall_seconds"]
    return seconds


def lines_of(path: Path) -> Iterator[dict]:
    for line in path.read_text().splitlines():
        yield json.loads(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=str(ROOT / "demo/large.nemo"))
    options = parser.parse_args()
    truth = make_corpus(options.folder, options.recordings, options.minutes, options.seed)
    output = options.folder / "segments"
    settings = Segment(manifest=options.folder / "corpus.jsonl", output=output, model=options.model)
    report = run_segmentation(settings, InProcess())
    figures = measure(output, truth) | {"conserved": all(check.holds for check in verify_segmentation(output))}
    seconds = aligning_seconds(output)
    figures |= (
        {"speed of aligning, of that of reading": seconds["reading"] / seconds["aligning"]} if options.model else {}
    )
    print(
        json.dumps(figures | {"left out": {name: amount.parts for name, amount in report.left_out.items()}}, indent=2)
    )


if __name__ == "__main__":
    main()

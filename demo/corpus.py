"""Makes the demo corpus: speech in voices that training never heard, a fifth of its references wrong, some rows broken.

    python -m demo.corpus

Needs espeak-ng. What was said stands in `true_text`, what was done to a reference in `corruption`; the pipeline reads
neither. The same seed gives the same corpus.
"""

import concurrent.futures
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import soundfile
import soxr

from demo.fastconformer import SAMPLE_RATE
from demo.grammar import sentence
from demo.speech import NOISES, Samples, corpus_voices, noise, say, with_noise
from demo.training_speech import TRAINING_SEED, training_texts

CORPUS = Path(__file__).parent / "corpus"
SEED = 20261122
UTTERANCES = 440
EVERY_NTH_FLAC = 12  # the others are Ogg Vorbis: noisy speech is four times as large as flac
LEAST_CHANGED = 0.34  # of the words of a corrupted reference


@dataclass(frozen=True)
class Spoken:
    """One utterance as it was said."""

    text: str
    voice: str
    snr: float
    samples: Samples

    @property
    def seconds(self) -> float:
        return round(len(self.samples) / SAMPLE_RATE, 3)


def utterances() -> list[Spoken]:
    """The spoken utterances, 1 to 15 s, noise at 5 to 30 dB, every sentence new to the models."""
    pick, sound = Random(SEED), np.random.default_rng(SEED)
    known = set(training_texts(Random(TRAINING_SEED)))
    texts: list[str] = []
    while len(texts) < 2 * UTTERANCES:
        text = sentence(pick)
        if text not in known:
            known.add(text)
            texts.append(text)
    speakers = corpus_voices(SEED)
    voices = [speakers[i % len(speakers)] for i in range(len(texts))]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        spoken = list(pool.map(say, texts, voices))
    chosen = [(t, v, s) for t, v, s in zip(texts, voices, spoken, strict=True) if 1 <= len(s) / SAMPLE_RATE <= 15]
    made = []
    for i, (text, voice, speech) in enumerate(chosen[:UTTERANCES]):
        snr = round(pick.uniform(5, 30), 1)
        added = noise(NOISES[i % len(NOISES)], len(speech), sound, spoken)
        made.append(Spoken(text, str(voice), snr, with_noise(speech, added, snr)))
    return made


def other(words: list[str], pick: Random, elsewhere: list[str]) -> list[str]:
    """The text of another utterance."""
    return pick.choice([text for text in elsewhere if not set(text.split()) & set(words[1:])] or elsewhere).split()


def dropped(words: list[str], pick: Random, elsewhere: list[str]) -> list[str]:
    """A run of words left out."""
    gone = some(words)
    at = pick.randint(0, len(words) - gone)
    return words[:at] + words[at + gone :]


def inserted(words: list[str], pick: Random, elsewhere: list[str]) -> list[str]:
    """Words of another utterance in between."""
    extra = pick.choice([text for text in elsewhere if len(text.split()) >= len(words)] or elsewhere).split()
    at = pick.randint(0, len(words))
    return words[:at] + extra[: -(-len(words) * 6 // 10)] + words[at:]


def replaced(words: list[str], pick: Random, elsewhere: list[str]) -> list[str]:
    """Single words exchanged for others."""
    pool = [word for text in elsewhere for word in text.split() if word not in words]
    changed = set(pick.sample(range(len(words)), some(words)))
    return [pick.choice(pool) if i in changed else word for i, word in enumerate(words)]


def truncated(words: list[str], pick: Random, elsewhere: list[str]) -> list[str]:
    """Only the beginning."""
    return words[: len(words) - max(some(words), len(words) // 2)]


CORRUPTIONS = [other, dropped, inserted, replaced, truncated]


def some(words: list[str]) -> int:
    return max(1, -(-int(len(words) * LEAST_CHANGED * 100) // 100))


def rows(spoken: list[Spoken]) -> list[dict[str, Any]]:
    """A manifest row an utterance; every fifth reference is corrupted, in turn in each of the five ways."""
    pick = Random(SEED + 1)
    texts = [one.text for one in spoken]
    wrong = set(pick.sample([i for i, text in enumerate(texts) if len(text.split()) > 1], len(texts) // 5))
    made = []
    for i, one in enumerate(spoken):
        kind = CORRUPTIONS[len([j for j in wrong if j < i]) % len(CORRUPTIONS)] if i in wrong else None
        elsewhere = texts[:i] + texts[i + 1 :]
        form = "flac" if i % EVERY_NTH_FLAC == 0 else "ogg"
        made.append(
            {
                "audio_filepath": f"audio/{i:03}.{form}",
                "duration": one.seconds,
                "text": one.text if kind is None else " ".join(kind(one.text.split(), pick, elsewhere)),
                "true_text": one.text,
                "corruption": kind and kind.__name__,
                "voice": one.voice,
                "snr": one.snr,
            }
        )
    return made


def unusual(spoken: list[Spoken]) -> list[str]:
    """Lines of other formats, which are fine, and of every common fault, which are not; their files are written."""
    audio = CORPUS / "audio"

    def line(name: str, one: Spoken, **changes: object) -> str:
        row = {"audio_filepath": f"audio/{name}", "duration": one.seconds, "text": one.text, "true_text": one.text}
        row |= {"corruption": None, "voice": one.voice, "snr": one.snr}
        return json.dumps({k: v for k, v in (row | changes).items() if v is not ...})

    telephone, stereo, mp3, opus, faulty = spoken
    soundfile.write(audio / "8khz.wav", soxr.resample(telephone.samples, SAMPLE_RATE, 8_000), 8_000)
    soundfile.write(audio / "stereo.ogg", np.stack([stereo.samples, 0.8 * stereo.samples], 1), SAMPLE_RATE)
    soundfile.write(audio / "mpeg.mp3", mp3.samples, SAMPLE_RATE)
    soundfile.write(audio / "opus.opus", opus.samples, SAMPLE_RATE, format="OGG", subtype="OPUS")
    soundfile.write(audio / "good.ogg", faulty.samples, SAMPLE_RATE)
    (audio / "empty.wav").write_bytes(b"")
    (audio / "page.wav").write_text("<html><body>404 not found</body></html>\n")
    soundfile.write(audio / "cut.wav", faulty.samples, SAMPLE_RATE)
    whole = (audio / "cut.wav").read_bytes()
    (audio / "cut.wav").write_bytes(whole[: len(whole) * 6 // 10])
    nothing = np.zeros(SAMPLE_RATE // 20, np.float32)
    soundfile.write(audio / "blip.wav", nothing, SAMPLE_RATE)
    return [
        line("8khz.wav", telephone),
        line("stereo.ogg", stereo),
        line("mpeg.mp3", mp3, duration=...),
        line("opus.opus", opus),
        line("good.ogg", faulty),
        line("missing.wav", faulty),
        line("empty.wav", faulty),
        line("page.wav", faulty),
        line("cut.wav", faulty),
        line("blip.wav", faulty, duration=0.05),
        line("good.ogg", faulty, duration=-1),
        line("good.ogg", faulty, offset=3600.0),
        line("good.ogg", faulty, text=None, offset=0.0),
        line("good.ogg", faulty, text="?!", offset=0.25, duration=1.0),
        line("good.ogg", faulty, audio_filepath="https://example.org/good.ogg"),
        line("good.ogg", faulty, audio_filepath=...),
        line("good.ogg", faulty),
        line("good.ogg", faulty)[:-20],
        "",
        "this is not JSON",
    ]


def make() -> None:
    shutil.rmtree(CORPUS, ignore_errors=True)
    (CORPUS / "audio").mkdir(parents=True)
    spoken = utterances()
    plain, odd = spoken[:-5], spoken[-5:]
    lines = []
    for row, one in zip(rows(plain), plain, strict=True):
        soundfile.write(CORPUS / row["audio_filepath"], one.samples, SAMPLE_RATE)
        lines.append(json.dumps(row))
    pick = Random(SEED + 2)
    for extra in unusual(odd):
        lines.insert(pick.randint(0, len(lines)), extra)
    (CORPUS / "manifest.jsonl").write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    make()

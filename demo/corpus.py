"""Generate the demo corpus: speech in voices unknown to the models, a fifth of the references wrong, some rows broken.

    python -m demo.corpus

Requires espeak-ng. `true_text` has what was spoken and `corruption` how a reference was changed; the pipeline uses
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
from demo.speech import NOISES, Samples, corpus_voices, make_noise, mix_noise, speak
from demo.training_speech import TRAINING_SEED, training_texts

CORPUS = Path(__file__).parent / "corpus"
SEED = 20261122
UTTERANCES = 440
EVERY_NTH_FLAC = 12  # the others are Ogg Vorbis, because noisy speech is four times as large as flac
MIN_CHANGED = 0.34  # fraction of the words of a corrupted reference


@dataclass(frozen=True)
class SpokenUtterance:
    """One utterance as it was spoken."""

    text: str
    voice: str
    snr: float
    samples: Samples

    @property
    def seconds(self) -> float:
        return round(len(self.samples) / SAMPLE_RATE, 3)


def speak_utterances() -> list[SpokenUtterance]:
    """Synthesize utterances of 1 to 15 s with noise at 5 to 30 dB, from sentences that are not in the training data."""
    rng, noise_rng = Random(SEED), np.random.default_rng(SEED)
    known = set(training_texts(Random(TRAINING_SEED)))
    texts: list[str] = []
    while len(texts) < 2 * UTTERANCES:
        text = sentence(rng)
        if text not in known:
            known.add(text)
            texts.append(text)
    speakers = corpus_voices(SEED)
    voices = [speakers[i % len(speakers)] for i in range(len(texts))]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        spoken = list(pool.map(speak, texts, voices))
    chosen = [(t, v, s) for t, v, s in zip(texts, voices, spoken, strict=True) if 1 <= len(s) / SAMPLE_RATE <= 15]
    made = []
    for i, (text, voice, speech) in enumerate(chosen[:UTTERANCES]):
        snr = round(rng.uniform(5, 30), 1)
        added = make_noise(NOISES[i % len(NOISES)], len(speech), noise_rng, spoken)
        made.append(SpokenUtterance(text, str(voice), snr, mix_noise(speech, added, snr)))
    return made


def replace_sentence(words: list[str], rng: Random, other_texts: list[str]) -> list[str]:
    """Return the text of another utterance."""
    unlike = [text for text in other_texts if not set(text.split()) & set(words[1:])]
    return rng.choice(unlike or other_texts).split()


def drop_words(words: list[str], rng: Random, other_texts: list[str]) -> list[str]:
    """Leave out a run of words."""
    count = words_to_change(words)
    start = rng.randint(0, len(words) - count)
    return words[:start] + words[start + count :]


def insert_words(words: list[str], rng: Random, other_texts: list[str]) -> list[str]:
    """Insert words of another utterance."""
    long_enough = [text for text in other_texts if len(text.split()) >= len(words)]
    extra = rng.choice(long_enough or other_texts).split()
    start = rng.randint(0, len(words))
    return words[:start] + extra[: -(-len(words) * 6 // 10)] + words[start:]


def replace_words(words: list[str], rng: Random, other_texts: list[str]) -> list[str]:
    """Replace single words by other ones."""
    pool = [word for text in other_texts for word in text.split() if word not in words]
    changed = set(rng.sample(range(len(words)), words_to_change(words)))
    return [rng.choice(pool) if i in changed else word for i, word in enumerate(words)]


def truncate(words: list[str], rng: Random, other_texts: list[str]) -> list[str]:
    """Keep only the beginning."""
    return words[: len(words) - max(words_to_change(words), len(words) // 2)]


CORRUPTIONS = {
    "other": replace_sentence,
    "dropped": drop_words,
    "inserted": insert_words,
    "replaced": replace_words,
    "truncated": truncate,
}
"""The ways in which references are corrupted, by their names in the manifest."""


def words_to_change(words: list[str]) -> int:
    """Return how many words a corruption changes, at least one."""
    return max(1, -(-int(len(words) * MIN_CHANGED * 100) // 100))


def manifest_rows(spoken: list[SpokenUtterance]) -> list[dict[str, Any]]:
    """Return a manifest row per utterance; a fifth of the references is corrupted, by each corruption in turn."""
    rng = Random(SEED + 1)
    texts = [utterance.text for utterance in spoken]
    wrong = set(rng.sample([i for i, text in enumerate(texts) if len(text.split()) > 1], len(texts) // 5))
    made = []
    names = list(CORRUPTIONS)
    for i, utterance in enumerate(spoken):
        corruption = names[len([j for j in wrong if j < i]) % len(names)] if i in wrong else None
        text, other_texts = utterance.text, texts[:i] + texts[i + 1 :]
        if corruption:
            text = " ".join(CORRUPTIONS[corruption](text.split(), rng, other_texts))
        suffix = "flac" if i % EVERY_NTH_FLAC == 0 else "ogg"
        made.append(
            {
                "audio_filepath": f"audio/{i:03}.{suffix}",
                "duration": utterance.seconds,
                "text": text,
                "true_text": utterance.text,
                "corruption": corruption,
                "voice": utterance.voice,
                "snr": utterance.snr,
            }
        )
    return made


def unusual_lines(spoken: list[SpokenUtterance]) -> list[str]:
    """Write audio in other formats and with common faults, and return the manifest lines of both."""
    audio = CORPUS / "audio"

    def line(name: str, utterance: SpokenUtterance, **changes: object) -> str:
        row = {"audio_filepath": f"audio/{name}", "duration": utterance.seconds}
        row |= {"text": utterance.text, "true_text": utterance.text, "corruption": None}
        row |= {"voice": utterance.voice, "snr": utterance.snr}
        return json.dumps({name: value for name, value in (row | changes).items() if value is not ...})

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
    silence = np.zeros(SAMPLE_RATE // 20, np.float32)
    soundfile.write(audio / "blip.wav", silence, SAMPLE_RATE)
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
        line("good.ogg", faulty, audio_filepath="ftp://example.org/good.ogg"),
        line("good.ogg", faulty, audio_filepath=...),
        line("good.ogg", faulty),
        line("good.ogg", faulty)[:-20],
        "",
        "this is not JSON",
    ]


def make_corpus() -> None:
    """Write the corpus into demo/corpus, replacing what is there."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    (CORPUS / "audio").mkdir(parents=True)
    spoken = speak_utterances()
    plain, unusual = spoken[:-5], spoken[-5:]
    lines = []
    for row, utterance in zip(manifest_rows(plain), plain, strict=True):
        soundfile.write(CORPUS / row["audio_filepath"], utterance.samples, SAMPLE_RATE)
        lines.append(json.dumps(row))
    rng = Random(SEED + 2)
    for line in unusual_lines(unusual):
        lines.insert(rng.randint(0, len(lines)), line)
    (CORPUS / "manifest.jsonl").write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    make_corpus()

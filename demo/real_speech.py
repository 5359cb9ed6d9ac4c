"""Real speech with its texts, and corpora of it in which some references are wrong on purpose."""

import json
import re
import tarfile
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from winnow.evidence.planting import Pool, errors_in, units

SHARED = Path(__file__).parent.parent.parent / "shared" / "real"
"""A folder beside the checkout with recordings in eight languages, and their texts in utterances.jsonl."""

SPHINX_LINE = re.compile(r"<s> (?P<text>.*?) *</s> \((?P<name>[\w-]+)\)")
SWAPPED, ONE_WORD = 1 / 5, 1 / 4  # of the utterances


class Recording(NamedTuple):
    """A file, what is said in it, and the tag of its language."""

    path: Path
    text: str
    language: str


def shared_speech() -> list[Recording]:
    """Return the recordings beside the checkout; none if the folder is missing."""
    manifest = SHARED / "utterances.jsonl"
    if not manifest.is_file():
        return []
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [Recording(SHARED / row["audio_filepath"], row["text"], row["lang"]) for row in rows]


def sphinx_speech(archive: Path, folder: Path) -> list[Recording]:
    """Unpack ten English recordings of pocketsphinx's tests: five of LibriVox, and five of playing cards."""
    recordings = []
    with tarfile.open(archive) as tar:
        for part in ("librivox/transcription", "cards/cards.transcription"):
            inner = f"{archive.name.removesuffix('.tar.gz')}/test/data/{part}"
            tar.extract(inner, folder, filter="data")
            for line in SPHINX_LINE.finditer((folder / inner).read_text()):
                audio = f"{inner.rpartition('/')[0]}/{line['name']}.wav"
                tar.extract(audio, folder, filter="data")
                recordings.append(Recording(folder / audio, line["text"], "en"))
    return recordings


def plant_errors(recordings: list[Recording], seed: int) -> list[dict[str, Any]]:
    """Return the lines of a manifest, `true_text` being what is said: a fifth is swapped, a quarter has a wrong word.

    Texts are swapped within the language of most recordings, so that each has speech of its language; a word is
    replaced by another one of its language.
    """
    rng = Random(seed)
    pools: dict[str, list[str]] = {}
    for recording in recordings:
        pools.setdefault(recording.language, []).append(recording.text)
    most = max(pools, key=lambda language: len(pools[language]))
    numbers = [number for number, recording in enumerate(recordings) if recording.language == most]
    swapped = rng.sample(numbers, max(2, round(SWAPPED * len(recordings))))
    texts = {number: recordings[other].text for number, other in zip(swapped, swapped[1:] + swapped[:1], strict=True)}
    others = [number for number in range(len(recordings)) if number not in texts]
    for number in rng.sample(others, round(ONE_WORD * len(recordings))):
        _, text, language = recordings[number]
        pool = Pool([word for each in pools[language] for word in units(each)], pools[language])
        changed = {error.kind: error.text for error in errors_in(text, pool, rng, "basic", language)}
        texts[number] = changed.get("substitution", text)
    return [
        {
            "audio_filepath": str(path),
            "text": texts.get(number, text),
            "true_text": text,
            "corruption": ("swapped" if number in swapped else "word") if texts.get(number, text) != text else None,
            "lang": language,
        }
        for number, (path, text, language) in enumerate(recordings)
    ]


def write_corpus(recordings: list[Recording], seed: int, manifest: Path) -> None:
    """Write the manifest of a corpus with planted errors."""
    manifest.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) for row in plant_errors(recordings, seed))
    manifest.write_text("".join(f"{line}\n" for line in lines))

"""What doubt and WER tell of real speech in eight languages: right texts, and errors of several seeds in them.

    python -m benchmarks.real_speech

English is read by Whisper tiny, the others by base, as `make real` reads them. No limit is chosen here: the limits of
doubt are those that planted errors show on the demo corpus (benchmarks/results/policies-cpu.json), that of WER is the
default. Words that replace others are those of other English texts, or of other texts in all other languages.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.scored_corpora import pool_of, score_text
from demo.real_models import base_model, tiny_model
from demo.real_speech import Recording, shared_speech
from winnow.engines.engine import Request
from winnow.engines.isolation import transcribe_here
from winnow.evidence.planting import PlantedError, errors_in
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions

SEEDS = range(1, 7)
DOUBT, WER = (2.0, 2.6, 3.5, 7.2), (0.25,)


class Scored(NamedTuple):
    """A text, of which kind its error is, and what the model says of it."""

    kind: str
    english: bool
    doubt: float | None
    wer: float | None


def texts_of(number: int, recordings: list[Recording]) -> list[PlantedError]:
    """Return what is said, with one word replaced by each seed, and the texts of two other recordings."""
    _, said, language = recordings[number]
    others = [text for _, text, tag in recordings if text != said and (tag == "en") == (language == "en")]
    texts = [PlantedError("right", said)]
    for seed in SEEDS:
        errors = errors_in(said, pool_of(others), Random(f"{seed} {number}"), "basic", language)
        texts += [error for error in errors if error.kind == "substitution" or (error.kind == "other" and seed <= 2)]
    return texts


def score(recordings: list[Recording], models: dict[bool, str]) -> Iterator[Scored]:
    """Yield the scores of all texts by the model for English or that for other languages."""
    for english, name in models.items():
        numbers = [number for number, recording in enumerate(recordings) if (recording.language == "en") == english]
        texts = [texts_of(number, recordings) for number in numbers]
        requests = [
            Request(str(path), None, None, texts=tuple(error.text for error in own), language=tag, text_language=tag)
            for (path, _, tag), own in zip((recordings[number] for number in numbers), texts, strict=True)
        ]
        results, _ = transcribe_here(resolve(name), EngineOptions(), requests)
        for result, own in zip(results, texts, strict=True):
            if result.hypothesis:
                for error, evidence in zip(own, result.hypothesis.evidence, strict=True):
                    scored = score_text(error.text, evidence, result.hypothesis.text)
                    yield Scored(error.kind, english, scored.doubt, scored.wer)


def main() -> None:
    """Print how many texts of each kind exceed each limit."""
    with tempfile.TemporaryDirectory() as folder:
        tiny, base, recordings = tiny_model(), base_model(Path(folder)), shared_speech()
        if not (tiny and base and recordings):
            raise SystemExit("needs `make real-models`, and recordings in ../shared/real")
        scored = list(score(recordings, {True: tiny, False: base}))
    for english in True, False:
        for kind in "right", "substitution", "other":
            own = [each for each in scored if (each.english, each.kind) == (english, kind)]
            doubts = {f"doubt > {limit}": sum((each.doubt or 0) > limit for each in own) for limit in DOUBT}
            wers = {f"WER > {limit}": sum((each.wer or 0) > limit for each in own) for limit in WER}
            print("English" if english else "others", kind, len(own), doubts | wers)


if __name__ == "__main__":
    main()

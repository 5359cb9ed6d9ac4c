"""Plant known errors into a sample of the references, so that a run can tell which share of such errors it finds.

The errors are of the kinds that corpora have: one word replaced, left out or put in, several words replaced, the second
half missing, and the text of another utterance. Words and texts are those of the same shard. Everything follows from
the ids of the rows: the same corpus has the same errors in every run.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from winnow.gates.sampling import Numbers, draw_numbers
from winnow.text.comparison import Comparison
from winnow.text.languages import of_languages
from winnow.text.normalize import Normalizer
from winnow.text.respell import equal_texts
from winnow.text.words import has_spaceless, join_spaceless, split_words

SAMPLE = 500
"""Utterances with planted errors: a share of 95 % that is found is then known to within 2 %."""

ENOUGH = 400
"""References, and planted errors of a kind, from which limits follow: SAMPLE, less what cannot be judged.

At limits that lose 2 %, 8 right references are then lost, give or take 3; of errors of which 95 % are found, the share
is known to within 2.1 %.
"""

ATTEMPTS = 20
"""Draws until an error changes what is compared; then the text has none of this kind."""


def sample_share(utterances: int) -> float:
    """Return the share (0 to 1) of a run's utterances that errors are planted into."""
    return min(1.0, SAMPLE / max(1, utterances))


class SampleShares(BaseModel, frozen=True):
    """The shares (0 to 1) of the utterances that errors are planted into, in some languages and in all others.

    Each language that has enough utterances gets a sample of its own, so that it can have limits of its own.
    """

    others: float
    languages: dict[str, float] = {}

    def of(self, tags: Sequence[str | None]) -> Numbers:
        """Return the share for each language tag."""
        return np.array(of_languages({None: self.others} | self.languages, tags), np.float64)


def sample_shares(utterances: Mapping[str | None, int]) -> SampleShares:
    """Return the shares to sample, given the number of utterances of each language; None counts those without one."""
    own = {name: count for name, count in utterances.items() if name and count >= ENOUGH}
    others = sum(utterances.values()) - sum(own.values())
    return SampleShares(
        others=sample_share(others), languages={name: sample_share(count) for name, count in sorted(own.items())}
    )


class PlantedError(NamedTuple):
    """A kind of error, and the reference with such an error."""

    kind: str
    text: str


class Pool(NamedTuple):
    """What errors are made of: the words of a shard, as often as they occur, and its references."""

    words: Sequence[str]
    texts: Sequence[str]


def replace_word(words: list[str], pool: Pool, random: Random) -> list[str]:
    """Replace one word by another."""
    at = random.randrange(len(words))
    return [*words[:at], random.choice(pool.words), *words[at + 1 :]]


def leave_out_word(words: list[str], pool: Pool, random: Random) -> list[str]:
    """Leave out one word of several."""
    at = random.randrange(len(words))
    return [*words[:at], *words[at + 1 :]]


def put_in_word(words: list[str], pool: Pool, random: Random) -> list[str]:
    """Put in one word."""
    at = random.randrange(len(words) + 1)
    return [*words[:at], random.choice(pool.words), *words[at:]]


def replace_several_words(words: list[str], pool: Pool, random: Random) -> list[str]:
    """Replace a third of the words, at least two."""
    wrong = set(random.sample(range(len(words)), min(len(words), max(2, round(len(words) / 3)))))
    return [random.choice(pool.words) if at in wrong else word for at, word in enumerate(words)]


def cut_off(words: list[str], pool: Pool, random: Random) -> list[str]:
    """Leave out the second half."""
    return words[: len(words) // 2]


def take_other_text(words: list[str], pool: Pool, random: Random) -> list[str]:
    """Take the text of another utterance."""
    return units(random.choice(pool.texts))


KINDS: dict[str, Callable[[list[str], Pool, Random], list[str]]] = {
    "substitution": replace_word,
    "deletion": leave_out_word,
    "insertion": put_in_word,
    "several": replace_several_words,
    "cut": cut_off,
    "other": take_other_text,
}
"""The kinds of planted errors, by name; the first three are those of one word."""

ONE_WORD = ("substitution", "deletion", "insertion")

LABELS = {
    "substitution": "one word replaced",
    "deletion": "one word left out",
    "insertion": "one word put in",
    "several": "a third of the words replaced",
    "cut": "the second half left out",
    "other": "the text of another utterance",
}
"""The kinds in words."""


def plant_errors(
    rows: pa.Table, share: float | Numbers, comparison: Comparison | Normalizer, languages: Sequence[str | None]
) -> list[list[PlantedError]]:
    """Return the planted errors of each row: none, or one of each kind for rows of the sample.

    The sample is this share (0 to 1), of all rows or of those like each, that have a reference and can be judged.
    `rows` needs the columns id, text and reason.
    """
    texts = [
        text or "" if reason is None else ""
        for text, reason in zip(rows["text"].to_pylist(), rows["reason"].to_pylist(), strict=True)
    ]
    pool = Pool([word for text in texts for word in units(text)], [text for text in texts if text.strip()])
    drawn = draw_numbers(rows["id"]) < share
    return [
        errors_in(text, pool, Random(number), comparison, language) if chosen and split_words(text) else []
        for text, chosen, number, language in zip(texts, drawn, rows["id"].to_pylist(), languages, strict=True)
    ]


def errors_in(
    text: str, pool: Pool, random: Random, comparison: Comparison | Normalizer, language: str | None
) -> list[PlantedError]:
    """Return an error of each kind; one that a text is too short for, or that no comparison would see, is left out."""
    errors = []
    for kind, change in KINDS.items():
        for _ in range(ATTEMPTS):
            planted = join_spaceless(" ".join(change(units(text), pool, random)))
            if split_words(planted) and not equal_texts(text, planted, comparison, language):
                errors.append(PlantedError(kind, planted))
                break
    return errors


def units(text: str) -> list[str]:
    """Return the words of a text as they are written; in scripts without spaces, its characters."""
    return split_words(text) if has_spaceless(text) else text.split()

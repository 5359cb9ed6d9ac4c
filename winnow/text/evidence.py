"""Evidence: how well the audio speaks for a text, compared with what a model read.

The gap is log P(reading | audio) - log P(text | audio) under the model, in nats: 0 if the text is what was read, and
negative if the model finds the text more likely, as greedy readings are not always the best.

Doubt is the gap relative to the model's own uncertainty, gap / min(1 - log P(reading | audio), 1.5 words): of a reading
that is itself unlikely, others are hardly less so. That counts for at most 1.5 nats a word of the text, because a model
that understood nothing speaks for no text. Doubt tells wrong words from misread ones better than the gap or the gap per
word do, and its scale hardly differs between models and noises (`benchmarks/policies.py`).
"""

import math
from dataclasses import dataclass
from typing import Literal

NoEvidence = Literal[
    "NO_WORDS", "NOT_WRITABLE", "TOO_LONG_FOR_AUDIO", "UNLIKELY_READING", "NOT_SUPPORTED", "TEXT_EDITED"
]

NO_EVIDENCE: dict[NoEvidence, str] = {
    "NO_WORDS": "the text has no words once punctuation is removed",
    "NOT_WRITABLE": "the model's vocabulary cannot write the text",
    "TOO_LONG_FOR_AUDIO": "the text has more tokens than the audio, or the model, allows",
    "UNLIKELY_READING": "the model gives no probability to what it read itself",
    "TEXT_EDITED": "a reviewer wrote the text after the models had run, and the model read another one",
    "NOT_SUPPORTED": "the model gives no likelihoods, e.g. because its hypotheses were computed elsewhere",
}
"""Why there is no evidence for a text, in words."""


MOST_UNCERTAINTY = 1.5
"""Nats for each word of a text that a model's uncertainty counts for at most."""


@dataclass(frozen=True)
class DoubtfulWords:
    """A stretch where a text has other words than the reading: either may be empty, where the other has more.

    `place` is that of the stretch's first word in the text, from 0. `start` and `end` are in seconds from the start of
    the utterance. `gap` are the nats by which the reading is more likely than with only these words of the text in it;
    None if that is unknown.
    """

    text: str
    read: str
    place: int
    start: float | None = None
    end: float | None = None
    gap: float | None = None


@dataclass(frozen=True)
class TextEvidence:
    """The evidence for a text of `words` words: its gap [nats] and its doubt, or the `reason` why there is none.

    `doubtful` holds the text's words where it differs most from the reading, weighed by the gap; it is empty where the
    text has no words there, and None if the text is not less likely than the reading. `doubtful_words` are all
    stretches that differ, if they are asked for. Only the first text has either.
    """

    words: int
    gap: float | None = None
    doubt: float | None = None
    reason: NoEvidence | None = None
    doubtful: str | None = None
    doubtful_words: tuple[DoubtfulWords, ...] | None = None

    @property
    def evidence(self) -> float | None:
        """The gap for each word of the text, in nats."""
        return None if self.gap is None else self.gap / self.words


def compare_likelihoods(
    words: int,
    reading: float,
    text: float,
    doubtful: str | None = None,
    doubtful_words: tuple[DoubtfulWords, ...] | None = None,
) -> TextEvidence:
    """Return the evidence for a text of so many words from the log-likelihoods of the reading and of the text."""
    if not math.isfinite(reading):
        return TextEvidence(words, reason="UNLIKELY_READING")
    if not math.isfinite(text):
        return TextEvidence(words, reason="TOO_LONG_FOR_AUDIO")
    gap = reading - text
    uncertainty = min(1.0 - min(reading, 0.0), MOST_UNCERTAINTY * words)
    return TextEvidence(words, gap, gap / uncertainty, None, doubtful if gap > 0 else None, doubtful_words)

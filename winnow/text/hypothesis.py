"""What a model wrote down for an utterance: its text, and how sure it is of each word."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A word of a reading and where it was heard, in seconds from the start of the utterance."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Hypothesis:
    """What a model read. Confidences lie between 0 and 1; null where the model gives none.

    `finite` is false where the model's scores were not finite: the text means nothing then.
    """

    text: str
    tokens: int | None = None
    confidence: float | None = None
    word_confidence: list[float] | None = None
    words: list[Word] | None = None
    finite: bool = True

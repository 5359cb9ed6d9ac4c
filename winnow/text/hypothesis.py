"""The result of a model for one utterance: its text, and its confidence in it."""

from dataclasses import dataclass

from winnow.text.evidence import TextEvidence


@dataclass(frozen=True)
class Word:
    """A word of a hypothesis, with its start and end in seconds from the start of the utterance."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Hypothesis:
    """A model's text for an utterance. Confidences lie between 0 and 1; None if the model gives none.

    `finite` is false if the model's scores were not finite, in which case the text is meaningless. `evidence` is that
    of each text of the request, in order. `log_likelihood` is the text's own, in nats, if it was needed for evidence.
    `language` is what the model was told or heard, `no_speech` the probability (0 to 1) that nobody speaks; None where
    a model knows neither.
    """

    text: str
    tokens: int | None = None
    confidence: float | None = None
    word_confidence: list[float] | None = None
    words: list[Word] | None = None
    finite: bool = True
    log_likelihood: float | None = None
    evidence: tuple[TextEvidence, ...] = ()
    language: str | None = None
    no_speech: float | None = None

"""What a model reads in a batch before it is words: tokens, and how likely other texts are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from winnow.text.writing_style import WritingStyle

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Tokens:
    """The tokens of one utterance: ids, confidences (0 to 1), and first and last frame of the encoder, if known.

    If `finite` is false, the scores were not finite and everything else is meaningless.
    """

    ids: list[int]
    confidence: NDArray[np.float64]
    starts: list[int] | None = None
    ends: list[int] | None = None
    finite: bool = True


class EncodedBatch(Protocol):
    """An encoded batch, for which the likelihood of any text can be computed."""

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        """Return the log-likelihood [nats] of each text, given as the index of its utterance and its token ids.

        It is minus infinity for a text that is too long for its utterance or for the model.
        """


class Decoded(EncodedBatch, Protocol):
    """An encoded batch that a decoder has started on."""

    def tokens(self) -> list[Tokens]:
        """Wait for the tokens of each utterance."""


class Vocabulary(Protocol):
    """What a model can write, and in which style. Languages are the vocabulary's own, None if it has but one."""

    style: WritingStyle

    def write(self, text: str, language: str | None) -> Ids | None:
        """Return the tokens of a text; None if the vocabulary cannot write it."""

    def tokens(self, text: str, language: str | None) -> list[int]:
        """Return the tokens of a text with single spaces, whether they say the same or not."""

    def language_of(self, ids: Sequence[int], language: str | None) -> str | None:
        """Return the language of tokens, given the tag of what is spoken."""

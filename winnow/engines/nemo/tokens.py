"""The tokens that decoders return, with their confidence and their frames.

Confidence is NeMo's default measure, the exponentially normalized Tsallis entropy (alpha 0.33) of the distribution of
each step: the minimum over a token's frames, and over a word's tokens (Laptev and Ginsburg 2023, "Fast entropy-based
methods of word-level confidence estimation for end-to-end automatic speech recognition").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Languages = list[str | None]

ALPHA = 0.33
CONFIDENCE = {"preserve_token_confidence": True, "preserve_frame_confidence": True}


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


class Decoded(Protocol):
    """An encoded batch that a decoder has started on."""

    def tokens(self) -> list[Tokens]:
        """Wait for the tokens of each utterance."""

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        """Return the log-likelihood [nats] of each text, given as the index of its utterance and its token ids.

        It is minus infinity for a text that is too long for its utterance or for the model.
        """


class Decoder(Protocol):
    """A decoder of encoded batches.

    `start` queues the work on the device. `encoded` has the shape [utterances, width, frames]; `languages` are those of
    the utterances, which only models with a prompt use. `scores_texts` tells whether it computes log-likelihoods.
    """

    decoding: Any
    batches_per_call: int
    scores_texts: bool

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Decoded: ...

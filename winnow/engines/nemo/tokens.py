"""How NeMo's decoders are asked for tokens, with their confidence and their frames.

Confidence is NeMo's default measure, the exponentially normalized Tsallis entropy (alpha 0.33) of the distribution of
each step: the minimum over a token's frames, and over a word's tokens (Laptev and Ginsburg 2023, "Fast entropy-based
methods of word-level confidence estimation for end-to-end automatic speech recognition").
"""

from typing import Any, Protocol

from winnow.engines.tokens import Decoded

Languages = list[str | None]

ALPHA = 0.33
CONFIDENCE = {"preserve_token_confidence": True, "preserve_frame_confidence": True}


class Decoder(Protocol):
    """A decoder of encoded batches.

    `start` queues the work on the device. `encoded` has the shape [utterances, width, frames]; `languages` are those of
    the utterances, which only models with a prompt use. `scores_texts` tells whether it computes log-likelihoods.
    """

    decoding: Any
    batches_per_call: int
    scores_texts: bool

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Decoded: ...

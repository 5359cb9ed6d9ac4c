"""What decoders give: the tokens of utterances, with their confidence and their place.

Confidence is NeMo's default measure, the exponentially normalized Tsallis entropy (alpha 0.33) of each step's
distribution, the least of a token's frames and of a word's tokens (Laptev and Ginsburg 2023, "Fast entropy-based
methods of word-level confidence estimation for end-to-end automatic speech recognition").
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Languages = list[str | None]

ALPHA = 0.33
CONFIDENCE = {"preserve_token_confidence": True, "preserve_frame_confidence": True}


@dataclass(frozen=True)
class Tokens:
    """One utterance's tokens: ids, confidences, and from which of the encoder's frames to which (if it is known).

    `finite` is false where the scores are not finite: then nothing else means anything.
    """

    ids: list[int]
    confidence: NDArray[np.float64]
    starts: list[int] | None = None
    ends: list[int] | None = None
    finite: bool = True


class Decoder(Protocol):
    """Tokens of encoded batches. `start` gives the device its work; what it returns waits for the outcome.

    Only models with a prompt heed the languages that are said of the utterances.
    """

    decoding: Any
    batches_per_call: int

    def start(self, encoded: Any, frames: Any, languages: Languages) -> Callable[[], list[Tokens]]: ...

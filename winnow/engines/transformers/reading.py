"""How a model of any family reads a batch: its tokens, how they are written, and how likely other texts are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from winnow.engines.engine import Request
from winnow.engines.tokens import EncodedBatch, Tokens
from winnow.engines.transformers.vocabulary import TokenizerVocabulary

Clips = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Reading:
    """The tokens of each utterance, the language that it was read in if the model knows it, and what scores texts.

    `scorer` is None where the model gives no likelihoods.
    """

    tokens: list[Tokens]
    languages: list[str | None]
    scorer: EncodedBatch | None


class Reader(Protocol):
    """Reads batches with a loaded model. `frame_seconds` is the length of the frames of its tokens, None without any.

    `padded` tells whether a batch takes as long as its longest utterance times its utterances.
    """

    vocabulary: TokenizerVocabulary
    frame_seconds: float | None
    padded: bool

    def read(self, clips: Clips, requests: Sequence[Request]) -> Reading:
        """Read clips at the rate of the model; raises ValueError for one that is longer than the model can read."""


def on_device(inputs: Any, model: Any) -> dict[str, Any]:
    """Return a model's inputs on its device, those that are not whole numbers in its precision."""
    return {
        key: value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)
        for key, value in inputs.items()
        if hasattr(value, "is_floating_point")
    }

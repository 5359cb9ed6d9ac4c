"""How a model of any family reads a batch: its tokens, how they are written, and how likely other texts are."""

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True)
class Apart:
    """Utterances that were read one by one, and the likelihoods of texts of each; None where there are none."""

    scorers: list[EncodedBatch | None]

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        values = [-np.inf] * len(texts)
        for row, scorer in enumerate(self.scorers):
            own = [i for i, (utterance, _) in enumerate(texts) if utterance == row]
            if own and scorer is not None:
                found = scorer.log_likelihoods([(0, texts[i][1]) for i in own])
                for i, value in zip(own, found, strict=True):
                    values[i] = value
        return values


def read_apart(
    read: Callable[[Clips, Sequence[Request]], Reading], clips: Clips, requests: Sequence[Request]
) -> Reading:
    """Read clips one by one; none has likelihoods if one of them has none."""
    readings = [read([clip], [request]) for clip, request in zip(clips, requests, strict=True)]
    scorers = [reading.scorer for reading in readings]
    tokens, languages = [own.tokens[0] for own in readings], [own.languages[0] for own in readings]
    return Reading(tokens, languages, None if None in scorers else Apart(scorers))


PROBE_SECONDS = 2.0
PADDING_NOISE = 0.2  # standard deviations: bf16 alone makes up to 0.02


def hears_padding(scores: Callable[[Clips], Any], rate: int) -> bool:
    """Tell whether a clip is read otherwise beside a longer one: some models do not mask all of a batch's padding.

    `scores` returns what a model computes of clips [utterances, frames, width].
    """
    import torch

    noise = np.random.default_rng(0).normal(0, 0.1, int(PROBE_SECONDS * rate)).astype(np.float32)
    short = noise[: len(noise) // 2]
    with torch.inference_mode():
        alone, beside = scores([short])[0].float(), scores([noise, short])[1].float()
    shared = min(len(alone), len(beside))
    return bool((beside[:shared] - alone[:shared]).abs().max() > PADDING_NOISE * alone.std())


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

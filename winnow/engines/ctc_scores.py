"""What a CTC model scored in a batch: the tokens that it read greedily, and how likely other texts are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.engines.tokens import Tokens


@dataclass(frozen=True)
class CtcScores:
    """The log-probabilities of a batch [utterances, frames, vocabulary], and its lengths [frames].

    `copies` are the best token and the confidence of each frame, and the lengths, once the event `copied` has occurred.
    """

    blank: int
    scores: Any
    frames: Any
    copies: list[Any]
    copied: Any

    @classmethod
    def start(cls, scores: Any, confidence: Any, frames: Any, blank: int) -> "CtcScores":
        """Start copying from the device what the tokens are read from, all of a batch at once."""
        import torch

        copies = [tensor.to("cpu", non_blocking=True) for tensor in (scores.argmax(dim=-1), confidence, frames)]
        copied: Any = torch.cuda.Event() if scores.is_cuda else None  # type: ignore[no-untyped-call]
        if copied:
            copied.record()
        return cls(blank, scores, frames, copies, copied)

    def tokens(self) -> list[Tokens]:
        """Return the best token of every frame, without repetitions and blanks."""
        if self.copied:
            self.copied.synchronize()
        arrays = (copy.numpy() for copy in self.copies)
        return [self.tokens_of(*row) for row in zip(*arrays, strict=True)]

    def tokens_of(self, labels: NDArray[np.int64], confidence: NDArray[np.float32], length: int) -> Tokens:
        labels, by_frame = labels[:length], confidence[:length].astype(np.float64)
        if not np.isfinite(by_frame).all():
            return Tokens([], by_frame, finite=False)
        if not length:
            return Tokens([], by_frame)
        starts = np.flatnonzero(np.diff(labels, prepend=-1))
        ends = np.append(starts[1:], length)
        is_token = labels[starts] != self.blank
        minimum = np.minimum.reduceat(by_frame, starts)
        starts, ends = starts[is_token], ends[is_token]
        return Tokens(labels[starts].tolist(), minimum[is_token], starts.tolist(), ends.tolist())

    def log_likelihoods(self, texts: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
        from winnow.engines.likelihoods import ctc_log_likelihoods

        return ctc_log_likelihoods(self.scores, self.frames, texts, self.blank)

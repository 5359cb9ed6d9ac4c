"""From a model's tokens to words, with their confidence and their times."""

from typing import Any

import numpy as np

from winnow.engines.tokens import Tokens
from winnow.text.hypothesis import Hypothesis, Word


class WordAssembler:
    """Assembles the words of a model's tokens; `frame_seconds` is the length of a frame of its encoder."""

    def __init__(self, decoding: Any, frame_seconds: float) -> None:
        self.decoding, self.frame_seconds = decoding, frame_seconds
        self._begins: dict[int, bool | None] = {}

    def hypothesis(self, tokens: Tokens, timestamps: bool) -> Hypothesis:
        """Return the text, with confidences and times of its words as far as spaces separate their tokens."""
        text = self.text(tokens.ids)
        if not tokens.finite:
            return Hypothesis(text, finite=False)
        if not tokens.ids:
            return Hypothesis(text, 0, word_confidence=[], words=[] if timestamps else None)
        words, starts = text.split(), self.starts(tokens.ids)
        if len(words) != len(starts):
            return Hypothesis(text, len(tokens.ids), float(tokens.confidence.mean()))
        confidence = np.minimum.reduceat(tokens.confidence, starts).tolist() if words else []
        timed_words = self.timed_words(words, starts, tokens) if timestamps and tokens.starts is not None else None
        return Hypothesis(text, len(tokens.ids), float(tokens.confidence.mean()), confidence, timed_words)

    def text(self, ids: list[int]) -> str:
        """Return the text of token ids, as NeMo writes it."""
        text: str = self.decoding.decode_ids_to_str(ids)
        if getattr(self.decoding, "supported_punctuation", None):
            text = self.decoding.space_before_punct_pattern.sub(r"\2", text)
        return text

    def timed_words(self, words: list[str], starts: list[int], tokens: Tokens) -> list[Word]:
        """Return words with their times, from the start of the first token to the end of the last."""
        assert tokens.starts is not None
        assert tokens.ends is not None
        ends = [tokens.ends[at - 1] for at in [*starts[1:], len(tokens.ids)]]
        frames = zip(words, (tokens.starts[at] for at in starts), ends, strict=True)
        return [Word(word, self.seconds(start), self.seconds(end)) for word, start, end in frames]

    def seconds(self, frame: int) -> float:
        return round(frame * self.frame_seconds, 3)

    def starts(self, ids: list[int]) -> list[int]:
        """Return the indices of the tokens that words begin with."""
        starts, after_space = [], True
        for index, token in enumerate(ids):
            begins = self.begins(token)
            if begins is None:
                after_space = True
                continue
            if begins or after_space:
                starts.append(index)
            after_space = False
        return starts

    def begins(self, token: int) -> bool | None:
        """Tell whether a word begins with this token; None if the token is only a space."""
        if token not in self._begins:
            (piece,) = self.decoding.decode_ids_to_tokens([token])
            self._begins[token] = None if piece in ("▁", " ", "") else piece.startswith("▁")
        return self._begins[token]

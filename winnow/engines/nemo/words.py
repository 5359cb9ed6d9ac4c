"""From a model's tokens to words, with the confidence of each and where it was heard."""

from typing import Any

import numpy as np

from winnow.engines.nemo.tokens import Tokens
from winnow.text.hypothesis import Hypothesis, Word


class WordAssembler:
    """How a model's tokens make words; `frame_seconds` is the length of a frame of its encoder."""

    def __init__(self, decoding: Any, frame_seconds: float) -> None:
        self.decoding, self.frame_seconds = decoding, frame_seconds
        self._begins: dict[int, bool | None] = {}

    def reading(self, tokens: Tokens, timestamps: bool) -> Hypothesis:
        """The text of the tokens; its words have no confidence and no place where spaces do not tell their tokens."""
        text = self.text(tokens.ids)
        if not tokens.finite:
            return Hypothesis(text, finite=False)
        if not tokens.ids:
            return Hypothesis(text, 0, word_confidence=[], words=[] if timestamps else None)
        words, starts = text.split(), self.starts(tokens.ids)
        if len(words) != len(starts):
            return Hypothesis(text, len(tokens.ids), float(tokens.confidence.mean()))
        trust = np.minimum.reduceat(tokens.confidence, starts).tolist() if words else []
        places = self.places(words, starts, tokens) if timestamps and tokens.starts is not None else None
        return Hypothesis(text, len(tokens.ids), float(tokens.confidence.mean()), trust, places)

    def text(self, ids: list[int]) -> str:
        """As NeMo writes them."""
        written: str = self.decoding.decode_ids_to_str(ids)
        if getattr(self.decoding, "supported_punctuation", None):
            written = self.decoding.space_before_punct_pattern.sub(r"\2", written)
        return written

    def places(self, words: list[str], starts: list[int], tokens: Tokens) -> list[Word]:
        """From the first frame of a word's first token to the end of its last token."""
        assert tokens.starts is not None
        assert tokens.ends is not None
        ends = [tokens.ends[at - 1] for at in [*starts[1:], len(tokens.ids)]]
        frames = zip(words, (tokens.starts[at] for at in starts), ends, strict=True)
        return [Word(word, self.seconds(start), self.seconds(end)) for word, start, end in frames]

    def seconds(self, frame: int) -> float:
        return round(frame * self.frame_seconds, 3)

    def starts(self, ids: list[int]) -> list[int]:
        """The indices of the tokens with which words begin."""
        found, fresh = [], True
        for index, token in enumerate(ids):
            begins = self.begins(token)
            if begins is None:
                fresh = True
                continue
            if begins or fresh:
                found.append(index)
            fresh = False
        return found

    def begins(self, token: int) -> bool | None:
        """Whether a word begins with this token; null for a space by itself."""
        if token not in self._begins:
            (piece,) = self.decoding.decode_ids_to_tokens([token])
            self._begins[token] = None if piece in ("▁", " ", "") else piece.startswith("▁")
        return self._begins[token]

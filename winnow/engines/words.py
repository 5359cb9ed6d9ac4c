"""From a model's tokens to words, with their confidence and their times."""

from collections.abc import Callable

import numpy as np

from winnow.engines.tokens import Tokens
from winnow.text.hypothesis import Hypothesis, Word


class WordAssembler:
    """Assembles the words of a model's tokens; `frame_seconds` is the length of a frame of its encoder."""

    def __init__(
        self, text: Callable[[list[int]], str], begins: Callable[[int], bool | None], frame_seconds: float
    ) -> None:
        """`text` returns that of token ids; `begins` tells whether a word begins with one, None for a mere space."""
        self.text, self.frame_seconds = text, frame_seconds
        self._begins_word = begins
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
            self._begins[token] = self._begins_word(token)
        return self._begins[token]

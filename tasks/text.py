"""Texts made alike, and the word error rate between them."""

import re
import unicodedata
from typing import Literal

from rapidfuzz.distance import Levenshtein

Normalizer = Literal["basic", "none"]

_EDGE_APOSTROPHES = re.compile(r"(?<!\S)'+|'+(?!\S)")


class _Folds(dict[int, str]):
    """What becomes of each character: punctuation and symbols part words, format characters vanish."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        match unicodedata.category(character)[0], unicodedata.category(character):
            case _ if character in "'\u2018\u2019\u02bc":
                folded = "'"
            case _, "Cf":
                folded = ""
            case (("P" | "S" | "Z" | "C"), _):
                folded = " "
            case _:
                folded = character
        self[code] = folded
        return folded


_FOLDS = _Folds()


def normalize(text: str, normalizer: Normalizer) -> str:
    """The text as it is compared: `basic` folds Unicode form (NFKC), case, punctuation and white space.

    Letters, digits, combining marks and apostrophes inside a word stay.
    """
    if normalizer == "basic":
        text = unicodedata.normalize("NFKC", text).casefold().translate(_FOLDS)
        text = _EDGE_APOSTROPHES.sub("", text)
    return " ".join(text.split())


def word_error_rate(reference: str, hypothesis: str) -> float | None:
    """Substitutions, deletions and insertions over the words of the reference; null if the reference has none.

    The same count as jiwer's. An empty hypothesis has a rate of one; insertions can bring a rate above one.
    """
    words = reference.split()
    if not words:
        return None
    return Levenshtein.distance(words, hypothesis.split()) / len(words)

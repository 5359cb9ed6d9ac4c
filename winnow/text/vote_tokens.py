"""The tokens of a hypothesis that ROVER votes on: words, or characters in scripts without spaces."""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import regex

from winnow.text.hypothesis import Hypothesis
from winnow.text.normalize import CHARACTER, SPACELESS, Normalizer, normalize

ATOMS = regex.compile(f"{CHARACTER}|[^{SPACELESS}]+")
WITHOUT_SPACES = regex.compile(f"[{SPACELESS}]")


@dataclass(frozen=True)
class VoteToken:
    """A token: normalized, as it is written with everything up to the next one, and its confidence."""

    word: str
    spelling: str
    confidence: float | None


def vote_tokens(hypothesis: Hypothesis, normalizer: Normalizer) -> list[VoteToken]:
    """Split a hypothesis into tokens, each with the confidence of its word or else of the utterance.

    Their spellings, joined, are the text: punctuation that is not part of a word belongs to the word before it.
    """
    tokens = hypothesis.text.split()
    by_word = hypothesis.word_confidence or []
    confidences = by_word if len(by_word) == len(tokens) else [hypothesis.confidence] * len(tokens)
    result: list[VoteToken] = []
    before = ""
    for number, (token, confidence) in enumerate(zip(tokens, confidences, strict=True), 1):
        space = "" if number == len(tokens) and WITHOUT_SPACES.search(token) else " "
        for word, spelling in split_token(token + space, normalizer):
            if word:
                result.append(VoteToken(word, before + spelling, confidence))
                before = ""
            elif result:
                result[-1] = replace(result[-1], spelling=result[-1].spelling + spelling)
            else:
                before += spelling
    return result


@lru_cache(2**16)
def split_token(token: str, normalizer: Normalizer) -> list[tuple[str, str]]:
    """Split a token into normalized words (twenty-one: twenty, one), each with its part of the token."""
    words_and_spellings: list[tuple[str, str]] = []
    for atom in ATOMS.findall(token):
        words = normalize(atom, normalizer).split() or [""]
        bounds = [word_start(atom, word, normalizer) for word in range(1, len(words))]
        words_and_spellings += zip(
            words, (atom[start:end] for start, end in pairwise([0, *bounds, len(atom)])), strict=True
        )
    return words_and_spellings


def word_start(atom: str, word: int, normalizer: Normalizer) -> int:
    """Return the index of the character at which a word of an atom begins; the first word is 0."""
    return next(end for end in range(1, len(atom) + 1) if len(normalize(atom[:end], normalizer).split()) > word) - 1

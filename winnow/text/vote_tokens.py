"""The units of a reading that are put to the vote: its words, or its characters where no spaces part words."""

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
    """A unit as it is compared, and as it is written, with what stands between it and the next one."""

    word: str
    spelling: str
    confidence: float | None


def vote_tokens(reading: Hypothesis, normalizer: Normalizer) -> list[VoteToken]:
    """The units of a reading, of which each has the confidence of its word, or else of the utterance.

    Together their spellings are the text; what is no word (a dash by itself) belongs to the word before it.
    """
    tokens = reading.text.split()
    trust = reading.word_confidence or []
    confidences = trust if len(trust) == len(tokens) else [reading.confidence] * len(tokens)
    found: list[VoteToken] = []
    before = ""
    for number, (token, confidence) in enumerate(zip(tokens, confidences, strict=True), 1):
        space = "" if number == len(tokens) and WITHOUT_SPACES.search(token) else " "
        for word, spelling in split_token(token + space, normalizer):
            if word:
                found.append(VoteToken(word, before + spelling, confidence))
                before = ""
            elif found:
                found[-1] = replace(found[-1], spelling=found[-1].spelling + spelling)
            else:
                before += spelling
    return found


@lru_cache(2**16)
def split_token(token: str, normalizer: Normalizer) -> list[tuple[str, str]]:
    """A token's words as they are compared (twenty-one: twenty, one), and how each is written: together all of it."""
    found: list[tuple[str, str]] = []
    for atom in ATOMS.findall(token):
        words = normalize(atom, normalizer).split() or [""]
        bounds = [word_start(atom, word, normalizer) for word in range(1, len(words))]
        found += zip(words, (atom[start:end] for start, end in pairwise([0, *bounds, len(atom)])), strict=True)
    return found


def word_start(atom: str, word: int, normalizer: Normalizer) -> int:
    """The character with which a word of an atom begins, the first word being 0."""
    return next(end for end in range(1, len(atom) + 1) if len(normalize(atom[:end], normalizer).split()) > word) - 1

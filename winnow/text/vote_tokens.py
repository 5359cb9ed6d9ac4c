"""The tokens of a hypothesis that ROVER votes on: words, or characters in scripts without spaces."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise

import regex

from winnow.text.hypothesis import Hypothesis
from winnow.text.normalize import Normalizer, normalize
from winnow.text.words import CHARACTER, SPACELESS

ATOMS = regex.compile(f"{CHARACTER}|[^{SPACELESS}]+")
WITHOUT_SPACES = regex.compile(f"[{SPACELESS}]")
PARTS = regex.compile(r"[^\p{Pd}.,;:!?/_]++[\p{Pd}.,;:!?/_]*+|[\p{Pd}.,;:!?/_]++")
MAX_TOKEN = 100  # characters; in longer ones, words are told apart by punctuation alone


@dataclass(frozen=True)
class VoteToken:
    """A token: normalized, as it is written with everything up to the next one, and its confidence."""

    word: str
    spelling: str
    confidence: float | None


def vote_tokens(hypothesis: Hypothesis, normalizer: Normalizer, language: str | None = None) -> list[VoteToken]:
    """Split a hypothesis into tokens, each with the confidence of its word or else of the utterance.

    Their spellings, joined, are the text: punctuation that is not part of a word belongs to the word before it.
    """
    tokens = hypothesis.text.split()
    by_word = hypothesis.word_confidence or []
    confidences = by_word if len(by_word) == len(tokens) else [hypothesis.confidence] * len(tokens)
    words: list[tuple[str, float | None]] = []
    spellings: list[list[str]] = [[]]  # of each word; the first also has what precedes it
    for number, (token, confidence) in enumerate(zip(tokens, confidences, strict=True), 1):
        space = "" if number == len(tokens) and WITHOUT_SPACES.search(token) else " "
        for word, spelling in split_token(token + space, normalizer, language):
            if word:
                words.append((word, confidence))
                if len(words) > 1:
                    spellings.append([])
            spellings[-1].append(spelling)
    written = map("".join, spellings)
    return [VoteToken(word, spelling, confidence) for (word, confidence), spelling in zip(words, written, strict=False)]


def split_token(token: str, normalizer: Normalizer, language: str | None) -> list[tuple[str, str]]:
    """Split a token into normalized words (twenty-one: twenty, one), each with its part of the token."""
    return (_split_token if len(token) <= MAX_TOKEN else _split_token.__wrapped__)(token, normalizer, language)


@lru_cache(2**16)
def _split_token(token: str, normalizer: Normalizer, language: str | None) -> list[tuple[str, str]]:
    return [part for atom in ATOMS.findall(token) for part in split_atom(atom, normalizer, language)]


def split_atom(atom: str, normalizer: Normalizer, language: str | None) -> Iterator[tuple[str, str]]:
    """Yield the words of an atom, each with its part of the atom: up to where the next word begins.

    A long one is cut at punctuation; if its parts then have other words than the whole, it is one word.
    """
    words = normalize(atom, normalizer, language).split()
    if len(words) < 2:
        yield "".join(words), atom
    elif len(atom) <= MAX_TOKEN:
        bounds = [0, *word_starts(atom, len(words), normalizer, language), len(atom)]
        yield from zip(words, (atom[start:end] for start, end in pairwise(bounds)), strict=True)
    else:
        parts = PARTS.findall(atom)
        separate = [normalize(part, normalizer, language).split() for part in parts]
        if all(len(own) < 2 for own in separate) and list(chain(*separate)) == words:
            yield from (("".join(own), part) for own, part in zip(separate, parts, strict=True))
        else:
            yield " ".join(words), atom


def word_starts(atom: str, words: int, normalizer: Normalizer, language: str | None) -> list[int]:
    """Return the index of the character at which each word of an atom but the first begins."""
    starts: list[int] = []
    for end in range(1, len(atom) + 1):
        begun = len(normalize(atom[:end], normalizer, language).split())
        starts += [end - 1] * (min(begun, words) - 1 - len(starts))
    return starts + [len(atom)] * (words - 1 - len(starts))

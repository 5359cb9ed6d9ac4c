"""Measures of one text, which rules may be about: `longest_word(pred_text) < 25`."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from winnow.text.alphabets import ALPHABETS
from winnow.text.normalize import basic, split_words

StatValue = float | bool | None


class TextStat(NamedTuple):
    """What is measured, whether that is a number or a boolean, and how, given the argument that stands in the rule.

    Those without `of` take more than the text: `values` has them.
    """

    words: str
    kind: str
    of: Callable[[str], Callable[[str], StatValue]] | None = None
    takes: str | None = None


def longest_word(text: str) -> int | None:
    return max(map(len, split_words(text)), default=None)


def word_jump(text: str) -> float | None:
    """How many times longer than the second longest word the longest is, less one."""
    lengths = sorted(map(len, split_words(text)), reverse=True)
    if len(lengths) < 2:
        return 0.0 if lengths else None
    return (lengths[0] - lengths[1]) / lengths[1]


def unique_words(text: str) -> float | None:
    found = split_words(basic(text))
    return len(set(found)) / len(found) if found else None


def ngram_copies(size: int, text: str) -> int:
    found = split_words(basic(text))
    ngrams = Counter(tuple(found[i : i + size]) for i in range(len(found) - size + 1))
    return max(ngrams.values(), default=0)


def charset(allowed: frozenset[str], text: str) -> float | None:
    found = "".join(text.split())
    return sum(character in allowed for character in found) / len(found) if found else None


def characters_of(given: str) -> frozenset[str]:
    """The characters of a language, in either case, or those that are written there."""
    if given in ALPHABETS:
        return frozenset(ALPHABETS[given] + ALPHABETS[given].upper())
    return frozenset(given)


TEXT_STATS = {
    "chars": TextStat("characters", "number"),
    "words": TextStat("words", "number"),
    "char_rate": TextStat("characters a second", "number"),
    "word_rate": TextStat("words a second", "number"),
    "longest_word": TextStat("characters of the longest word", "number", lambda _: longest_word),
    "word_jump": TextStat("by what share the longest word is longer than the next", "number", lambda _: word_jump),
    "unique_words": TextStat("share of the words that are different ones", "number", lambda _: unique_words),
    "ngram_copies": TextStat(
        "how often the most frequent run of so many words is there",
        "number",
        lambda size: partial(ngram_copies, int(size)),
        takes="a number of words",
    ),
    "charset": TextStat(
        "share of the characters that are letters of a language (de, en, …), or among those in quotes",
        "number",
        lambda given: partial(charset, characters_of(given)),
        takes="a language or characters",
    ),
    "all_caps": TextStat("whether all letters are capitals", "boolean", lambda _: str.isupper),
    "known_phrase": TextStat("whether it is one of the lines of filter.phrases", "boolean"),
    "copies": TextStat("how many utterances of the run have this reference", "number"),
    "occurrence": TextStat("1 for the first of them, 2 for the second, and so on", "number"),
}

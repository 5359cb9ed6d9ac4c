"""Statistics of one text that rules can compare, such as `longest_word(pred_text) < 25`.

To add one, write a function and an entry in `TEXT_STATS`.
"""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from winnow.text.alphabets import ALPHABETS
from winnow.text.basic import basic
from winnow.text.subtitle_phrases import is_subtitle_phrase
from winnow.text.words import split_words

StatValue = float | bool | None

LONGEST_PHRASE = 20  # words that are looked for in a row

ANNOTATION = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|<[^<>]*>|\*[^*]*\*")
"""What a recognizer says about the audio instead of its words: [Music], (applause), <noise>, *coughs*."""

UNKNOWN_TOKEN = re.compile(r"\u2047|\ufffd|<unk>|\[unk\]", re.IGNORECASE)
"""What stands for something that the model's vocabulary lacks: SentencePiece's U+2047, U+FFFD, <unk> and [UNK]."""


class TextStat(NamedTuple):
    """A statistic: its description, its type (number or boolean), and its function, given the argument in the rule.

    Those without `measure` need more than the text and are computed in `winnow.rules.operands`. `argument` describes
    the argument, if there is one.
    """

    description: str
    type: str
    measure: Callable[[str], Callable[[str], StatValue]] | None = None
    argument: str | None = None


def longest_word(text: str) -> int | None:
    """Return the length of the longest word in characters; None if there is no word."""
    return max(map(len, split_words(text)), default=None)


def word_jump(text: str) -> float | None:
    """Return the length of the longest word relative to the second longest, minus 1; None if there is no word."""
    lengths = sorted(map(len, split_words(text)), reverse=True)
    if len(lengths) < 2:
        return 0.0 if lengths else None
    return (lengths[0] - lengths[1]) / lengths[1]


def unique_words(text: str) -> float | None:
    """Return the share (0 to 1) of distinct words; None if there is no word."""
    words = split_words(basic(text))
    return len(set(words)) / len(words) if words else None


def ngram_copies(size: int, text: str) -> int:
    """Return how often the most frequent run of `size` words occurs."""
    words = split_words(basic(text))
    if not 0 < size <= len(words):
        return 0
    numbers = dict[object, int]()
    runs = number_each(words, numbers)  # the runs of `length` words, by number; the same in time for every size
    length = 1
    while length < size:
        step = min(length, size - length)
        runs = number_each(zip(runs, runs[step:], strict=False), numbers)
        length += step
    return max(Counter(runs).values())


def number_each(values: Iterable[object], numbers: dict[object, int]) -> list[int]:
    """Return the number of each value, the same for equal ones."""
    return [numbers.setdefault(value, len(numbers)) for value in values]


def in_a_row(text: str) -> int:
    """Return how many times in a row the same word, or the same phrase of up to 20 words, occurs."""
    words = split_words(basic(text))
    most = 1 if words else 0
    for size in range(1, min(LONGEST_PHRASE, len(words) // 2) + 1):
        same = 0
        for word, next_word in zip(words, words[size:], strict=False):
            same = same + 1 if word == next_word else 0
            most = max(most, same // size + 1)
    return most


def compression_ratio(text: str) -> float:
    """Return how much smaller zlib makes a text: over 2.4, it repeats itself.

    As in Whisper, but each character is one byte, so that scripts of several bytes per character compare with Latin.
    """
    codes: dict[str, int] = {}
    characters = bytes(codes.setdefault(character, min(len(codes), 255)) for character in text)
    return len(characters) / len(zlib.compress(characters))


def letters(text: str) -> int:
    """Return the number of letters and digits that are not within brackets or asterisks."""
    return sum(map(str.isalnum, ANNOTATION.sub(" ", text)))


def has_unknown_token(text: str) -> bool:
    """Tell whether a text has a mark in the place of words or characters that the model cannot write."""
    return UNKNOWN_TOKEN.search(text) is not None


def charset(allowed: frozenset[str], text: str) -> float | None:
    """Return the share (0 to 1) of allowed characters, white space aside; None for an empty text."""
    characters = "".join(text.split())
    return sum(character in allowed for character in characters) / len(characters) if characters else None


def characters_of(argument: str) -> frozenset[str]:
    """Return the letters of a language in both cases, or the characters of the argument itself."""
    if argument in ALPHABETS:
        return frozenset(ALPHABETS[argument] + ALPHABETS[argument].upper())
    return frozenset(argument)


TEXT_STATS = {
    "chars": TextStat("characters", "number"),
    "words": TextStat("words", "number"),
    "char_rate": TextStat("characters per second of audio", "number"),
    "word_rate": TextStat("words per second of audio", "number"),
    "longest_word": TextStat("length of the longest word in characters", "number", lambda _: longest_word),
    "word_jump": TextStat(
        "length of the longest word relative to the second longest, minus 1", "number", lambda _: word_jump
    ),
    "unique_words": TextStat("share of distinct words", "number", lambda _: unique_words),
    "ngram_copies": TextStat(
        "how often the most frequent run of this many words occurs",
        "number",
        lambda size: partial(ngram_copies, int(size)),
        argument="a number of words",
    ),
    "charset": TextStat(
        "share of characters that are letters of a language (de, en, …), or among those in quotes",
        "number",
        lambda argument: partial(charset, characters_of(argument)),
        argument="a language or characters in quotes",
    ),
    "letters": TextStat(
        "letters and digits, but not what is in brackets, such as [music]", "number", lambda _: letters
    ),
    "in_a_row": TextStat(
        "how many times in a row the same word or phrase of up to 20 words occurs", "number", lambda _: in_a_row
    ),
    "compression_ratio": TextStat(
        "characters per byte of the compressed text; over 2.4, it repeats itself", "number", lambda _: compression_ratio
    ),
    "unknown_token": TextStat(
        "whether it has \u2047 or <unk> in the place of something that the model cannot write",
        "boolean",
        lambda _: has_unknown_token,
    ),
    "subtitle_phrase": TextStat(
        'whether it has nothing but phrases of subtitles that recognizers write in silence, such as "Thanks for '
        'watching"',
        "boolean",
        lambda _: is_subtitle_phrase,
    ),
    "all_caps": TextStat("whether all letters are capital letters", "boolean", lambda _: str.isupper),
    "known_phrase": TextStat("whether the text is one of the phrases in --filter.phrases", "boolean"),
    "copies": TextStat("how many utterances of the run have the same reference", "number"),
    "occurrence": TextStat("1 for the first utterance with this reference, 2 for the second, and so on", "number"),
}
"""Every text statistic by its name in rules."""

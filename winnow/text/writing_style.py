"""How a model writes: with capitals, digits and punctuation or without, and how it would write given words."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from winnow.text.basic import APOSTROPHES, FOLDED, REMOVED, TURKIC, TURKIC_CASE, limit_marks
from winnow.text.languages import base_language
from winnow.text.number_words import and_word
from winnow.text.quantities import numbers_in_digits, numbers_in_words
from winnow.text.respell import ABBREVIATION, JOINER

MOST = 4  # spellings

WITHOUT_SPACE = frozenset(f"{APOSTROPHES}.\u00b7\u05f4\u00ad")
"""What is left out of a word without a space in its place: don't, U.S., col·lega."""

ALIKE = (
    {"ß": "ss", "œ": "oe", "æ": "ae", "ı": "i", "ø": "o", "ł": "l", "đ": "d"}
    | {"Œ": "OE", "Æ": "AE", "Ø": "O", "Ł": "L", "Đ": "D"}
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
    | FOLDED
    | {fold: letter for letter, fold in FOLDED.items() if len(fold) == 1}
    | {"\u0415": "\u0401", "\u0401": "\u0415"}
)
"""What is written for a character by who has no such character, where Unicode does not tell."""

UNSPOKEN = frozenset('.,:;?!…-–—()[]{}"«»“”„¿¡।、。，？！：；')
"""Punctuation around words that no one reads aloud."""


@dataclass(frozen=True)
class WritingStyle:
    """What a model writes: capitals, ASCII digits, these characters of punctuation, and these letters with their marks.

    A model that writes only capitals has `upper`, and no small letter among `letters`.
    """

    upper: bool
    digits: bool
    punctuation: frozenset[str]
    letters: frozenset[str]


def style_of(characters: Iterable[str]) -> WritingStyle:
    """Return the style of a model that writes these characters."""
    known = set(characters)
    return WritingStyle(
        upper=any(map(str.isupper, known)),
        digits=not known.isdisjoint("0123456789"),
        punctuation=frozenset(c for c in known if unicodedata.category(c)[0] in "PS"),
        letters=frozenset(c for c in known if unicodedata.category(c)[0] in "LM"),
    )


def candidate_spellings(words: str, language: str | None, style: WritingStyle) -> list[str]:
    """Return how a model of this style would write the words, the likeliest first: at most four, all different.

    What the style lacks, and has nothing like, stays. Numbers are written in words where the language is known.
    """
    language = base_language(language)
    alike = _alike(style)
    found: dict[str, None] = {}
    for text in (text for other in word_styles(words, style) for text in number_styles(other, language, style)):
        text = in_case(text, language, style)
        if not text.isascii():
            text = unicodedata.normalize("NFC", limit_marks(text))
        if "&" in text and "&" not in style.punctuation and language and (word := and_word(language)):
            text = text.replace("&", f" {in_case(word, language, style)} ")
        found |= dict.fromkeys(other_styles(" ".join(text.translate(alike).split()), language, style))
    return list(found)[:MOST]


def number_styles(words: str, language: str | None, style: WritingStyle) -> list[str]:
    """Return a text with its numbers as the style writes them, and in words where it may write them so too."""
    if language is None or not any(map(str.isnumeric, words)):
        return [words]
    if not style.digits:
        return numbers_in_words(words, language, MOST) or [words]
    return [numbers_in_digits(words, language, style.punctuation), *numbers_in_words(words, language, 1)]


def word_styles(text: str, style: WritingStyle) -> Iterator[str]:
    """Yield a text, and with `email` for `e-mail` and `U S` for `U.S.` where the style has no such punctuation."""
    yield text
    other = text
    if "-" not in style.punctuation and not text.isalpha():
        other = JOINER.sub("", other)
    if "." not in style.punctuation and "." in text:
        other = " ".join(word.replace(".", " ") if ABBREVIATION.fullmatch(word) else word for word in other.split())
    if other != text:
        yield other


def other_styles(text: str, language: str | None, style: WritingStyle) -> Iterator[str]:
    """Yield a text as it is, without punctuation, and with small letters and a capital, where the style has them."""
    yield text
    bare = " ".join(word.strip(_unspoken(style)) for word in text.split())
    yield bare
    if style.upper and has_small(style):
        small = lower(bare, language)
        yield small
        yield f"{small[:1].upper()}{small[1:]}"


@lru_cache(100)
def _unspoken(style: WritingStyle) -> str:
    return "".join(sorted(style.punctuation & UNSPOKEN))


def in_case(text: str, language: str | None, style: WritingStyle) -> str:
    """Return a text in the only case of a style, or as it is if the style has both or none."""
    if style.upper:
        return text if has_small(style) else upper(text, language)
    return lower(text, language)


def lower(text: str, language: str | None) -> str:
    """Return a text in small letters: of İ and I in Turkish, i and ı."""
    return (text.translate(TURKIC_CASE) if language in TURKIC else text).replace("\u0130", "i").lower()


def upper(text: str, language: str | None) -> str:
    """Return a text in capitals: of i and ı in Turkish, İ and I."""
    return (text.replace("i", "\u0130") if language in TURKIC else text).upper()


def has_small(style: WritingStyle) -> bool:
    """Return whether a style that writes capitals writes small letters as well."""
    return any(map(str.islower, style.letters))


class _Alike(dict[int, str]):
    """Maps each character to what a style has that is like it: the character itself where there is nothing."""

    def __init__(self, style: WritingStyle) -> None:
        super().__init__()
        self.writable = style.letters | style.punctuation | frozenset("0123456789" if style.digits else "")

    def __missing__(self, code: int) -> str:
        self[code] = written = self.find(chr(code))
        return written

    def find(self, character: str) -> str:
        if character.isspace():
            return " "
        category = unicodedata.category(character)
        if character in self.writable:
            return character
        for other in self.others(character):
            if other and self.writable.issuperset(other):
                return other
        if character in WITHOUT_SPACE or category == "Cf" or REMOVED.match(character):
            return ""
        return " " if category[0] in "PSZC" else character

    def others(self, character: str) -> Iterator[str]:
        """Yield what may be written for a character, the nearest first."""
        yield unicodedata.normalize("NFD", character)
        yield "'" if character in APOSTROPHES else ""
        yield str(unicodedata.digit(character, ""))
        yield ALIKE.get(character, "")
        yield (compatible := unicodedata.normalize("NFKC", character))
        yield unicodedata.normalize("NFKD", compatible)
        if character.isalpha() and (base := unicodedata.normalize("NFKD", character)[0]).isascii():
            yield base  # é, where no letter has an accent


@lru_cache(100)
def _alike(style: WritingStyle) -> _Alike:
    return _Alike(style)

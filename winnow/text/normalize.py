"""Normalize texts before they are compared."""

import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Literal

from winnow.imports import installed_version
from winnow.text.alphabets import ALPHABETS
from winnow.text.basic import basic, compose, trim_apostrophes
from winnow.text.words import split_words

Normalizer = Literal[
    "basic",
    "none",
    "whisper",
    "whisper-english",
    "letters-de",
    "letters-en",
    "letters-es",
    "letters-fr",
    "letters-it",
    "letters-ka",
    "letters-nl",
    "letters-pl",
    "letters-pt",
    "letters-ru",
    "letters-uk",
]

BASIC_VERSION = 4
"""Increased when `basic`, or a normalizer based on it, `respell`, `rover` or `split_words` gives another result."""

MAX_TEXT = 100_000  # characters, about two hours of speech; comparing two texts takes the product of their lengths
MAX_EXPANSION = 18  # characters that NFKC makes of one, at most

WHISPER_PIECE = 1_000  # characters; Whisper's patterns take the square of the length on unclosed brackets


class _Letters(dict[int, str]):
    """Maps each character to itself if it is one of these letters; all others separate words."""

    def __init__(self, letters: str) -> None:
        super().__init__((ord(letter), letter) for letter in letters)

    def __missing__(self, code: int) -> str:
        return " "


@cache
def _function(normalizer: Normalizer) -> Callable[[str, str | None], str]:
    if normalizer == "none":
        return lambda text, _: text
    if normalizer == "basic":
        return basic
    if normalizer.startswith("letters-"):
        own = normalizer.removeprefix("letters-")
        letters = _Letters(basic_letters(own))
        return lambda text, language: trim_apostrophes(basic(text, language or own).translate(letters))
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    whisper: Callable[[str], str] = (
        EnglishTextNormalizer() if normalizer == "whisper-english" else BasicTextNormalizer()
    )
    return lambda text, _: " ".join(map(whisper, pieces(text, WHISPER_PIECE)))


def basic_letters(language: str) -> str:
    """Return the letters of a language as `basic` writes them; it turns ß, for example, into ss."""
    return "".join(sorted({written for letter in ALPHABETS[language] for written in basic(f"x{letter}x")[1:-1]}))


def pieces(text: str, size: int) -> list[str]:
    """Cut a text into pieces of at most so many characters, at white space where there is some."""
    if len(text) <= size:
        return [text]
    cut: list[str] = []
    start = 0
    while len(text) - start > size:
        space = text.rfind(" ", start + 1, start + size + 1)
        end = start + size if space < 0 else space
        cut.append(text[start:end])
        start = end
    return [*cut, text[start:]]


def normalize(text: str, normalizer: Normalizer, language: str | None = None) -> str:
    """Return the text as it is compared. Every normalizer reduces white space to single spaces between words.

    `language` is the tag of what is spoken, where it is known; `basic` and those based on it use it.
    """
    return " ".join(_function(normalizer)(text, language).split())


def count_words(text: str, normalizer: Normalizer, language: str | None = None) -> int:
    """Return how many words a text has once it is normalized."""
    return len(split_words(normalize(text, normalizer, language)))


def is_too_long(text: str) -> bool:
    """Return whether a text has more than MAX_TEXT characters, as it is or once Unicode writes them out."""
    return len(text) > MAX_TEXT or (len(text) * MAX_EXPANSION > MAX_TEXT and len(compose(text)) > MAX_TEXT)


def version_of(normalizer: Normalizer) -> str:
    """Return a version that changes whenever the normalizer may give another result for the same text."""
    if normalizer.startswith("whisper"):
        return f"{BASIC_VERSION} {installed_version('whisper_normalizer')}"
    packages = " ".join(map(installed_version, ("babel", "unicode_rbnf")))
    return f"{BASIC_VERSION} {unicodedata.unidata_version} {packages}"

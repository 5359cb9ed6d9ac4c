"""Normalize texts before they are compared, and split them into words."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Literal

from winnow.text.alphabets import ALPHABETS

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

BASIC_VERSION = 2
"""Increased when `basic`, or a normalizer based on it, or `split_words` gives another result for the same text."""

SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts that are written without spaces; each of their characters, with its marks, counts as a word."""

CHARACTER = rf"[{SPACELESS}]\p{{M}}*"
WORD = rf"{CHARACTER}|[^\s\p{{Z}}{SPACELESS}]+"

_PLAIN = re.compile("[a-z0-9 ]*")  # already normalized, as the output of many models is
_EDGE_APOSTROPHES = re.compile(r"(?<!\S)'+|'+(?!\S)")


class _Folds(dict[int, str]):
    """Maps each character: punctuation and symbols separate words, format characters are removed."""

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


class _Letters(dict[int, str]):
    """Maps each character to itself if it is one of these letters; all others separate words."""

    def __init__(self, letters: str) -> None:
        super().__init__((ord(letter), letter) for letter in letters)

    def __missing__(self, code: int) -> str:
        return " "


_FOLDS = _Folds()


def basic(text: str) -> str:
    """Normalize Unicode form (NFKC) and case, and remove punctuation and symbols but apostrophes inside a word."""
    if _PLAIN.fullmatch(text):
        return text
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold().translate(_FOLDS)
    return _EDGE_APOSTROPHES.sub("", text) if "'" in text else text


@cache
def _function(normalizer: Normalizer) -> Callable[[str], str]:
    if normalizer == "none":
        return str
    if normalizer == "basic":
        return basic
    if normalizer.startswith("letters-"):
        letters = _Letters(basic_letters(normalizer.removeprefix("letters-")))
        return lambda text: _EDGE_APOSTROPHES.sub("", basic(text).translate(letters))
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    whisper: Callable[[str], str] = (
        EnglishTextNormalizer() if normalizer == "whisper-english" else BasicTextNormalizer()
    )
    return whisper


def basic_letters(language: str) -> str:
    """Return the letters of a language as `basic` writes them; it turns ß, for example, into ss."""
    return "".join(sorted(set(ALPHABETS[language].casefold())))


def normalize(text: str, normalizer: Normalizer) -> str:
    """Return the text as it is compared. Every normalizer reduces white space to single spaces between words."""
    return " ".join(_function(normalizer)(text).split())


def version_of(normalizer: Normalizer) -> str:
    """Return a version that changes whenever the normalizer may give another result for the same text."""
    library = version("whisper_normalizer") if normalizer.startswith("whisper") else unicodedata.unidata_version
    return f"{BASIC_VERSION} {library}"


@cache
def _finder() -> Callable[[str], list[str]]:
    import regex

    findall: Callable[[str], list[str]] = regex.compile(WORD).findall
    return findall


@cache
def _spaceless() -> Callable[[str], object]:
    import regex

    search: Callable[[str], object] = regex.compile(f"[{SPACELESS}]").search
    return search


def split_words(text: str) -> list[str]:
    """Split a text at white space; in scripts without spaces, each character with its marks is a word."""
    if text.isascii() or not _spaceless()(text):
        return text.split()
    return _finder()(text)

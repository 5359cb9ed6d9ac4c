"""Texts made alike, and the words of a text."""

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
"""Raised when `basic`, or what is made of it, gives another text for the same one, or `words` other words."""

SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts that are written without spaces; a character of theirs, with the marks on it, counts as a word."""

CHARACTER = rf"[{SPACELESS}]\p{{M}}*"
WORD = rf"{CHARACTER}|[^\s\p{{Z}}{SPACELESS}]+"

_PLAIN = re.compile("[a-z0-9 ]*")  # as it is already, as many a model's readings are
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


class _Letters(dict[int, str]):
    """What becomes of each character where only these letters count: any other one parts words."""

    def __init__(self, letters: str) -> None:
        super().__init__((ord(letter), letter) for letter in letters)

    def __missing__(self, code: int) -> str:
        return " "


_FOLDS = _Folds()


def basic(text: str) -> str:
    """Unicode form (NFKC), case, punctuation and symbols folded; apostrophes inside a word stay."""
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

    found: Callable[[str], str] = EnglishTextNormalizer() if normalizer == "whisper-english" else BasicTextNormalizer()
    return found


def basic_letters(language: str) -> str:
    """The letters of a language as `basic` leaves them: ß, for one, becomes two."""
    return "".join(sorted(set(ALPHABETS[language].casefold())))


def normalize(text: str, normalizer: Normalizer) -> str:
    """The text as it is compared; whatever the normalizer, white space is one space, and none at the ends."""
    return " ".join(_function(normalizer)(text).split())


def version_of(normalizer: Normalizer) -> str:
    """What changes when the normalizer gives another text, or other words, for the same one."""
    theirs = version("whisper_normalizer") if normalizer.startswith("whisper") else unicodedata.unidata_version
    return f"{BASIC_VERSION} {theirs}"


@cache
def _finder() -> Callable[[str], list[str]]:
    import regex

    found: Callable[[str], list[str]] = regex.compile(WORD).findall
    return found


@cache
def _spaceless() -> Callable[[str], object]:
    import regex

    found: Callable[[str], object] = regex.compile(f"[{SPACELESS}]").search
    return found


def split_words(text: str) -> list[str]:
    """What lies between spaces; of a script without them, each character with its marks."""
    if text.isascii() or not _spaceless()(text):
        return text.split()
    return _finder()(text)

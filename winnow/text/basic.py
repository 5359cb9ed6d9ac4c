"""The normalizer `basic`: what no reader would call an error is written in one way, whatever the other text.

`winnow.text.equalities` lists every choice, with examples. Spellings that are equal only beside another text (numbers
in words, hyphens, …) are matched by `winnow.text.respell`.
"""

import re
import unicodedata
from functools import cache
from typing import Any

from winnow.text.languages import base_language, decimal_mark
from winnow.text.markup import strip_markup

APOSTROPHES = "'`\u00b4\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u02ca\u02cb\u05f3\u2032\ua78b\ua78c\uff07"
MINUS = "\u2212"  # marks a negative number in a normalized text

REMOVED = re.compile(
    "[\u0640"  # tatweel
    "\u064b-\u0652\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08d3-\u08e1\u08e3-\u08ff"  # Arabic vowels
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew vowels and accents
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u20dd-\u20e0\u20e2-\u20e4\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"  # invisible: fillers, variation selectors, enclosing marks
)
FOLDED = {
    "\u064a": "\u06cc",  # Arabic yeh, kaf and heh as Persian and Urdu write them
    "\u0643": "\u06a9",
    "\u06c1": "\u0647",
    "\u015f": "\u0219",  # s and t with cedilla
    "\u0163": "\u021b",
    "\u0451": "\u0435",  # ё
    "\u0d57": "\u0d4c",  # Malayalam au
    "\u3007": "\u96f6",  # Chinese zero
}
DISTINCT = {
    "ps": "\u064a",  # Pashto has both yehs
    "yi": "".join(map(chr, range(0x5B0, 0x5C8))),  # Yiddish points are letters
    **dict.fromkeys("be ba ce cv inh kk kv ky mhr mn myv os sah tg tt udm".split(), "\u0451"),
}
"""What a language tells apart although others do not."""

TURKIC = frozenset({"az", "crh", "gag", "tr"})
"""Languages whose small letters of I and İ are ı and i."""

TURKIC_CASE = str.maketrans({"I": "\u0131", "\u0130": "i"})

EVIDENCE = {"tr": "[\u0130\u0131\u011e\u011f]", "ps": "[\u0693\u0696\u069a\u06bc\u06cd]", "be": "[\u040e\u045e]"}
"""Letters that only one language has, or others like it, where the language of a text is not known."""

SEQUENCES = {
    "i\u0307": "i",  # what Python makes of İ
    "\u0565\u057e": "\u0565\u0582",  # Armenian yev
    "\u0e40\u0e40": "\u0e41",  # two Thai sara e for sara ae
    "\u0d7b\u0d4d\u0d31": "\u0d28\u0d4d\u0d31",  # Malayalam nta
    **{f"\u0e4d{tone}": f"{tone}\u0e4d" for tone in "\u0e48\u0e49\u0e4a\u0e4b"},  # Thai and Lao am
    **{f"\u0ecd{tone}": f"{tone}\u0ecd" for tone in "\u0ec8\u0ec9\u0eca\u0ecb"},
    **{  # Vietnamese tones
        unicodedata.normalize("NFC", f"{first}{tone}{second}"): unicodedata.normalize("NFC", f"{first}{second}{tone}")
        for first, second in ("oa", "oe", "uy")
        for tone in "\u0300\u0301\u0303\u0309\u0323"
    },
}
CHILLU = {
    f"{consonant}\u0d4d\u200d": chillu
    for consonant, chillu in zip(
        "\u0d23\u0d28\u0d30\u0d31\u0d32\u0d33\u0d15", "\u0d7a\u0d7b\u0d7c\u0d7c\u0d7d\u0d7e\u0d7f", strict=True
    )
}
MAX_MARKS = 30  # on one character, as in Unicode's stream-safe text format: ordering more takes quadratic time
LONG = 300  # characters; in shorter texts that takes no time

_PLAIN = re.compile("[a-z0-9 ]*")  # already normalized, as the output of many models is
_NUMERIC = re.compile(r"\d[.,'\u2019\u066c\u00a0\u2009\u202f]\d{3}|[-\u2212]\d")
_GROUPED = re.compile(
    r"(?<![\d.,'\u2019\u066c\u00a0\u2009\u202f])\d{1,3}(?:([.,'\u2019\u066c\u00a0\u2009\u202f])\d{3})(?:\1\d{3})*"
    r"(?!\1?\d)"
)
_SIGN = re.compile(r"(?<!\S)[-\u2212](?=\d)")
_EDGE_APOSTROPHES = re.compile(r"'(?:(?<!\S')'*+|(?<!'')'*+(?!\S))")
_SEQUENCES = re.compile("|".join(map(re.escape, SEQUENCES)))
_CHILLU = re.compile("|".join(map(re.escape, CHILLU)))
_SPACING_MARKS = re.compile(
    "[\u00a8\u00af\u00b4\u00b8\u02d8-\u02dd\u037a\u0384\u0385\u1fbd-\u1fc1\u1fcd-\u1fcf\u1fdd-\u1fdf\u1fed-\u1fef\u1ffd"
    "\u1ffe\u203e\u309b\u309c]"
)
"""Marks without a letter, which NFKC would turn into a space and a mark."""
_SPECIAL = re.compile(
    r"[<&\[({*\-\u2212\d\u0300-\u036f\u200d"
    + "".join({letter for letters in SEQUENCES for letter in (letters[0], letters[0].upper()) if not letter.isascii()})
    + "".join(part[1:-1] for part in (_SPACING_MARKS.pattern, *EVIDENCE.values()))
    + "]"
)
"""What calls for more than the form and case of Unicode."""

_SIMPLE_ASCII = bytes(set(range(128)) - set(b"<&[({*-0123456789"))
"""What does not in ASCII: whether something else is left is known in a tenth of the time of a search."""

_ELISION = "\u00b4\u0384\u1fbd\u1fbf\u1fef\u1ffd"
_EVIDENCE = re.compile("|".join(EVIDENCE.values()))


class _Folds(dict[int, str]):
    """Maps each character: punctuation and symbols separate words, what is invisible or optional is removed."""

    def __init__(self, language: str | None) -> None:
        super().__init__()
        self.distinct = DISTINCT.get(language or "", "")

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in self.distinct or character == MINUS:
            folded = character
        elif character in APOSTROPHES:
            folded = "'"
        elif character in FOLDED:
            folded = FOLDED[character]
        elif category == "Cf" or REMOVED.match(character):
            folded = ""
        elif category == "Nd":
            folded = str(unicodedata.digit(character))
        else:
            folded = " " if category[0] in "PSZC" else character
        self[code] = folded
        return folded


_UNKNOWN = _Folds(None)
_ASCII = {code: _UNKNOWN[code] for code in range(128)}


@cache
def _folds(language: str | None) -> _Folds:
    return _Folds(language) if language in DISTINCT else _UNKNOWN


def basic(text: str, language: str | None = None) -> str:
    """Normalize Unicode form (NFKC) and case, digits and optional marks; remove markup, punctuation and symbols.

    Apostrophes inside a word stay. `language` is a tag such as `tr` or `pt-br`; without one, letters that only some
    languages have tell how capitals are written small.
    """
    if _PLAIN.fullmatch(text):
        return text
    language = base_language(language)
    if text.isascii() and language not in TURKIC and not text.encode().translate(None, _SIMPLE_ASCII):
        return trim_apostrophes(text.lower().translate(_ASCII))
    if language is not None or _SPECIAL.search(text):
        return _basic(text, language)
    return trim_apostrophes(compose(text).casefold().translate(_UNKNOWN))


def _basic(text: str, language: str | None) -> str:
    """Do the same where the short way does not suffice."""
    text = strip_markup(text).replace(MINUS, "-")
    language = language or evident_language(text)
    if _NUMERIC.search(text):
        text = _SIGN.sub(MINUS, _GROUPED.sub(lambda number: join_groups(number, language), text))
    text = compose(text)
    if language in TURKIC:
        text = text.translate(TURKIC_CASE)
    text = text.casefold().translate(_folds(language))
    return trim_apostrophes(_SEQUENCES.sub(lambda found: SEQUENCES[found[0]], text))


def with_dots(text: str) -> str:
    """Return a text with i for the Turkish ı, as a capital I becomes where the language is not known."""
    return text.replace("\u0131", "i")


def trim_apostrophes(text: str) -> str:
    """Remove apostrophes that are not inside a word."""
    return _EDGE_APOSTROPHES.sub("", text) if "'" in text else text


def evident_language(*texts: str) -> str | None:
    """Return the language that letters of these texts give away; None if there are no such letters."""
    for text in texts:
        if not text.isascii() and (found := _EVIDENCE.search(text)):
            return next(language for language, letters in EVIDENCE.items() if re.match(letters, found[0]))
    return None


def join_groups(number: re.Match[str], language: str | None) -> str:
    """Return a number without its thousands separators, or as it is if the separator may be a decimal mark.

    Where the language is not known, a decimal mark is a point, unless a fraction would end in 0: 1.000, but not 3.141.
    """
    digits, separator = number[0], number[1]
    ambiguous = separator in ".," and digits.count(separator) == 1
    if unicodedata.digit(digits[0]) == 0 or (
        ambiguous and separator == decimal_mark(language) and (language is not None or unicodedata.digit(digits[-1]))
    ):
        return digits
    return digits.replace(separator, "")


def compose(text: str) -> str:
    """Return the NFKC form, in linear time; marks beyond the thirtieth on a character are lost."""
    if "\u200d" in text:
        text = _CHILLU.sub(lambda found: CHILLU[found[0]], text)
    if _SPACING_MARKS.search(text):
        text = _SPACING_MARKS.sub(lambda mark: "'" if mark[0] in _ELISION else " ", text)
    return unicodedata.normalize("NFKC", limit_marks(text))


def limit_marks(text: str) -> str:
    """Return a text without marks beyond the thirtieth on a character: its forms then take linear time."""
    return _stack().sub(r"\1", text) if len(text) > LONG else text


@cache
def _stack() -> Any:
    import regex

    return regex.compile(rf"(\p{{M}}{{{MAX_MARKS}}})\p{{M}}++")

"""How numbers and currencies are read aloud, by Unicode's rules for the language (CLDR)."""

import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from winnow.text.languages import decimal_mark

MAX_DIGITS = 15  # of a number that is read as a whole
YEARS = range(1000, 3000)
ONE_LEFT_OUT = {"en": ("one ", "a "), "de": ("ein", "")}  # a hundred, tausend

FAMILIES = {
    "$": ("USD", "CAD", "AUD"),
    "£": ("GBP", "EGP"),
    "€": ("EUR",),
    "¥": ("JPY",),
    "₹": ("INR", "PKR"),
    "₽": ("RUB", "BYN"),
    "₩": ("KRW", "KPW"),
    "₺": ("TRY",),
    "₴": ("UAH",),
    "₫": ("VND",),
    "₪": ("ILS",),
    "₦": ("NGN",),
    "₸": ("KZT",),
    "₾": ("GEL",),
}
"""Currencies by their sign; what the names of several have in common is how the sign is read."""

UNITS = {"%": ("concentr-percent",), "‰": ("concentr-permille",), "°": ("angle-degree",)} | {
    f"°{letter}": ("angle-degree", f"temperature-{name}") for letter, name in (("C", "celsius"), ("F", "fahrenheit"))
}
"""Units by their sign, under their names in CLDR."""

ORDINAL_ENDINGS = {
    "en": {"st", "nd", "rd", "th"},
    "es": {"o", "a"},
    "fr": {"er", "re", "e", "ème", "eme"},
    "it": {"o", "a"},
    "nl": {"e", "de", "ste"},
    "pt": {"o", "a"},
}
"""What follows the digits of an ordinal, as NFKC writes it; a point does in other languages."""


@cache
def _engines(language: str) -> list[Any]:
    """Return the engines of a language and of its regions: septante is said in Belgium."""
    from unicode_rbnf import RbnfEngine

    names = sorted(name for name in RbnfEngine.get_supported_languages() if name.partition("_")[0] == language)
    return [RbnfEngine.for_language(name) for name in names]


@cache
def _locale(language: str) -> Any:
    from babel.core import Locale, UnknownLocaleError

    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return None


@lru_cache(10_000)
def number_readings(digits: str, language: str, ordinal: bool = False) -> tuple[str, ...]:
    """Return how a number is read: in every gender, case and region, as a year, by digits; empty where unknown.

    The commonest come first: a year before the number, and one with a leading zero by its digits.

    `digits` has a point before its fraction, if it has one, and may begin with a minus.
    """
    if len(digits) > MAX_DIGITS:
        return ()
    whole = "." not in digits
    kinds = ["ordinal"] if ordinal else [*(["year"] if whole and int(digits) in YEARS else []), "cardinal"]
    readings = [text for kind in kinds for text in _spell(language, digits, kind)]
    if language in ONE_LEFT_OUT:
        one, instead = ONE_LEFT_OUT[language]
        readings += [instead + text.removeprefix(one) for text in readings if text.startswith(one) and len(digits) > 2]
    if language == "en" and digits.startswith("0."):
        readings += [text.removeprefix("zero ") for text in readings]
    if whole and not ordinal and (len(digits) > 2 or digits[0] == "0") and digits.isdecimal():
        names = " ".join(min(sorted(_spell(language, digit, "numbering")), key=len, default="") for digit in digits)
        readings.insert(0 if digits[0] == "0" else len(readings), names)
    return tuple(dict.fromkeys(text for text in readings if text.strip()))


def _spell(language: str, digits: str, kind: str) -> list[str]:
    """Return the texts of the language's rules of a kind, the plainest rules first."""
    from unicode_rbnf.engine import RbnfError

    prefixes = ("spellout-cardinal", "spellout-numbering") if kind == "cardinal" else ("spellout-",)
    number = int(digits) if "." not in digits else Decimal(digits)
    texts: list[str] = []
    for engine in _engines(language):
        names = [name for name in engine.rulesets if name.startswith(prefixes) and (kind in name or kind == "cardinal")]
        names = sorted((name for name in names if ("year" in name) == (kind == "year")), key=len)
        with suppress(RbnfError, ValueError, ArithmeticError):
            texts += engine.format_number(number, ruleset_names=names).text_by_ruleset.values() if names else ()
    return [text.replace("\u00ad", "").replace("\u200b", "") for text in texts]


@lru_cache(1_000)
def unit_names(sign: str, digits: str, language: str) -> tuple[str, ...]:
    """Return how the sign of a currency or unit is read beside a number, the commonest first; empty where unknown."""
    from babel.numbers import get_currency_name
    from babel.units import format_unit

    if (locale := _locale(language)) is None:
        return ()
    own = min(int(Decimal(digits)), 10**6)
    counts = [own, *({1, 2, 5} - {own})]
    if sign in UNITS:
        texts = [format_unit(count, unit, "long", locale=locale) for count in counts for unit in UNITS[sign]]
        names = [" ".join(word for word in text.split() if not any(map(str.isdecimal, word))) for text in texts]
        return tuple(dict.fromkeys(names + (["per cent"] if (sign, language) == ("%", "en") else [])))
    names = []
    for count in counts:
        family = [str(get_currency_name(code, count, locale)) for code in FAMILIES.get(sign, ())]
        words = [name.replace("-", " ").split() for name in family]
        shared = set.intersection(*map(set, words)) if len(words) > 1 else set()
        names += [*(word for word in words[0] if word in shared), *family] if words else []
    return tuple(dict.fromkeys(names))


def and_word(language: str) -> str | None:
    """Return the word for & in a language; None where unknown."""
    from babel.lists import format_list

    locale = _locale(language)
    return None if locale is None else str(format_list(["\0", "\1"], locale=locale)).strip("\0\1 ")


def quantity_readings(number: str, sign: str | None, ordinal: bool, language: str, scale: str = "") -> Iterator[str]:
    """Yield what a number with the sign of a currency or unit, and a `scale` such as million, may be written as."""
    spoken = number_readings(number, language, ordinal)
    yield from (f"{amount}{scale}" for amount in spoken)
    if sign and not ordinal:
        for name in unit_names(sign, number, language):
            for amount in (number, *spoken):
                yield f"{amount}{scale} {name}"


def plain_number(written: str, language: str) -> str | None:
    """Return a number with ASCII digits, without separators and with a point before its fraction; None if unclear."""
    mark = decimal_mark(language)
    whole, *fractions = written.replace("\u066b", mark).split(mark)
    parts = re.split(r"\D", whole)
    if len(fractions) > 1 or any(len(part) != 3 for part in parts[1:]) or any(map(re.compile(r"\D").search, fractions)):
        return None
    digits = "".join(str(int(digit)) for digit in "".join(parts))
    return ".".join([digits, *("".join(str(int(digit)) for digit in part) for part in fractions)])

"""Numbers that are read together with what follows them: 10 km, and in English 1990s, 2½ and $5.50."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import product

from winnow.text.number_words import number_readings, plain_number, unit_names

Found = tuple[int, int, list[str]]
"""From where to where something stands, and how it is read, the commonest way first."""

UNITS = (
    *(f"length-{unit}" for unit in ("kilometer", "meter", "centimeter", "millimeter", "mile", "foot")),
    *(f"mass-{unit}" for unit in ("kilogram", "gram", "pound")),
    *(f"speed-{unit}" for unit in ("kilometer-per-hour", "mile-per-hour")),
    *(f"volume-{unit}" for unit in ("liter", "milliliter")),
    *(f"digital-{unit}" for unit in ("terabyte", "gigabyte", "megabyte", "kilobyte")),
    *(f"frequency-{unit}" for unit in ("hertz", "kilohertz", "megahertz", "gigahertz")),
    *(f"power-{unit}" for unit in ("watt", "kilowatt", "megawatt")),
    *(f"duration-{unit}" for unit in ("hour", "minute", "second")),
)
"""Units that CLDR abbreviates and spells out in every language."""

LOCALES = {"en": ("en", "en_GB")}  # kilometers, kilometres
CENTS = {"$": ("cent", "cents"), "€": ("cent", "cents"), "£": ("penny", "pence")}
WAYS = 3  # in which each number is read

_MEASURE = re.compile(
    r"(?<![\w.,$€£\-\u2212])(?<!\d )([1-9]\d{0,2}(?: \d{3}){1,4}|\d{1,12}(?:[.,]\d{1,12}){0,3})"
    r"[ \u00a0\u202f]?([^\W\d_]{1,4}(?:/[^\W\d_]{1,2})?\.?)(?!\w)"
)
_DECADE = re.compile(r"(?<![\w.,$])['\u2019]?((?:1\d|20)?\d0)['\u2019]?s\b")
_FRACTION = re.compile("(?:(?<![\\w.,])(\\d{1,6}) ?)?([\u00bc-\u00be\u2150-\u215e])(?!\\w)")
_PRICE = re.compile(r"([$€£])(\d{1,6})\.(\d\d)(?![\d.])(?! (?:thousand|million|billion|trillion)\b)")


def find_measures(text: str, language: str) -> Iterator[Found]:
    """Yield what is read otherwise than number by number, where the language is known to read it so."""
    for match in _MEASURE.finditer(text):
        units, digits = abbreviated_units(language), plain_number(match[1], language)
        names = units.get(match[2]) or units.get(match[2].rstrip("."))
        if digits is not None and names:
            amounts = (*number_readings(digits, language), digits)
            yield (
                *match.span(),
                [f"{amount} {name}" for amount, name in product(amounts, spelled_out(digits, names, language))],
            )
    if language == "en":
        yield from ((*match.span(), decade_readings(match[1])) for match in _DECADE.finditer(text))
        yield from ((*match.span(), fraction_readings(match[1], match[2])) for match in _FRACTION.finditer(text))
        yield from ((*match.span(), price_readings(*match.groups())) for match in _PRICE.finditer(text))


@cache
def abbreviated_units(language: str) -> dict[str, tuple[str, ...]]:
    """Return the units of a language by their abbreviation: those of CLDR; empty where unknown."""
    units: dict[str, tuple[str, ...]] = {}
    for unit in UNITS:
        for short in unit_texts(unit, 2, "short", language):
            units[short] = (*units.get(short, ()), unit)
    return units


def spelled_out(digits: str, units: tuple[str, ...], language: str) -> list[str]:
    """Return the names of units beside a number, its own form first."""
    counts = [round(float(digits)), 1, 2, 5]
    return list(dict.fromkeys(name for n in counts for unit in units for name in unit_texts(unit, n, "long", language)))


@cache
def unit_texts(unit: str, count: int, length: str, language: str) -> tuple[str, ...]:
    """Return how CLDR writes a unit beside a number, without the number."""
    from babel.core import Locale, UnknownLocaleError
    from babel.units import format_unit

    try:
        locales = [Locale.parse(name) for name in LOCALES.get(language, (language,))]
    except (UnknownLocaleError, ValueError):
        return ()
    texts = (format_unit(count, unit, length, locale=locale).split() for locale in locales)  # type: ignore[arg-type]
    names = (" ".join(word for word in words if not any(map(str.isdecimal, word))) for words in texts)
    return tuple(dict.fromkeys(name for name in names if name))


def decade_readings(digits: str) -> list[str]:
    """Return how a decade is read in English: nineteen nineties."""
    readings = [text for text in number_readings(digits, "en") if not text.endswith(" zero")]
    return [f"{text[:-1]}ies" if text.endswith("y") else f"{text}s" for text in readings]


def fraction_readings(whole: str | None, fraction: str) -> list[str]:
    """Return how a fraction is read in English, by its name in Unicode: two and a half."""
    name = unicodedata.name(fraction).lower()
    if not name.startswith("vulgar fraction "):
        return []
    name = name.removeprefix("vulgar fraction ")
    names = [name, *([f"a {name.removeprefix('one ')}"] if name.startswith("one ") else [])]
    if whole:
        return [f"{number} and {name}" for number in number_readings(whole, "en") for name in names]
    return [*names, *(["half"] if name == "one half" else [])]


def price_readings(sign: str, whole: str, cents: str) -> list[str]:
    """Return how a price is read in English: five dollars and fifty cents, five dollars fifty, five fifty."""
    name, small = unit_names(sign, whole, "en")[0], CENTS[sign][int(cents) != 1]
    amounts = [*number_readings(whole, "en")[:WAYS], whole]
    if not int(cents):
        return [f"{amount} {name}" for amount in amounts]
    parts = list(product(amounts, [*number_readings(str(int(cents)), "en")[:WAYS], cents]))
    long = [f"{amount} {name} and {part} {small}" for amount, part in parts]
    return [*long, *(f"{amount} {name} {part}" for amount, part in parts), *(f"{a} {part}" for a, part in parts)]

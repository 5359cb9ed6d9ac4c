"""Numbers as they stand in texts, with the signs of currencies and units, and how they are written in words."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import filterfalse, islice, zip_longest
from typing import NamedTuple

from winnow.text.measures import Found, find_measures
from winnow.text.number_words import (
    FAMILIES,
    ORDINAL_ENDINGS,
    number_readings,
    plain_number,
    quantity_readings,
    unit_names,
)

MAX_QUANTITIES = 100  # in a text
GROUPING = frozenset(".,'\u2019")  # stands in numbers, which can be written without

SIGNS = "".join(FAMILIES)
_QUANTITY = re.compile(
    rf"(?P<before>[{SIGNS}] ?)?(?P<minus>(?<!\S)[-\u2212])?"
    r"(?P<number>(?<![\w.,])(?:[1-9]\d{0,2}(?: \d{3})+(?!\d)|\d+(?:[.,'\u2019\u066b\u066c\u00a0\u2009\u202f]\d+)*))"
    rf"(?:(?P<after> ?(?:°[CF]|[{SIGNS}%‰°]))|(?P<ending>[a-zèº°ª]{{1,3}}\b|\.(?!\S)))?"
)
_SCALE = re.compile(r" [^\W\d_]{2,20}")


class Quantity(NamedTuple):
    """A number in a text: from where to where it stands, its digits, the sign beside it, and how it may be meant.

    `digits` has a point before its fraction and may begin with a minus. `scale` is the word after an amount of money,
    with the space before it: perhaps a million.
    """

    start: int
    end: int
    digits: str
    sign: str | None
    cardinal: bool
    ordinal: bool
    scale: str


def find_quantities(text: str, language: str) -> Iterator[Quantity]:
    """Yield the first hundred numbers of a text, but not those whose digits or ending are unclear."""
    for match in islice(_QUANTITY.finditer(text), MAX_QUANTITIES):
        digits = plain_number(match["number"], language)
        if digits is None:
            continue
        ending = (match["ending"] or "").replace("º", "o").replace("ª", "a")
        ordinal = ending in ORDINAL_ENDINGS.get(language, ()) or (ending == "." and language not in ORDINAL_ENDINGS)
        if ending not in ("", ".") and not ordinal:
            continue
        sign = (match["before"] or match["after"] or "").strip() or None
        scale = _SCALE.match(text, match.end()) if match["before"] else None  # $5 million
        digits = f"-{digits}" if match["minus"] else digits
        cardinal = ending in ("", ".")
        yield Quantity(*match.span(), digits, sign, cardinal, ordinal, scale[0] if scale else "")


def number_spellings(text: str, normalized: Callable[[str], str], language: str) -> Iterator[tuple[str, str]]:
    """Yield how the numbers of a text are read."""
    for found in find_quantities(text, language):
        written = text[found.start : found.end]
        if found.cardinal:
            for reading in quantity_readings(found.digits, found.sign, False, language):
                yield normalized(written), normalized(reading)
        if found.scale:
            for reading in quantity_readings(found.digits, found.sign, False, language, found.scale):
                yield normalized(written + found.scale), normalized(reading)
        if found.ordinal:
            for reading in quantity_readings(found.digits, None, True, language):
                yield normalized(written), normalized(reading)
    for start, end, readings in measures(text, language):
        for reading in readings:
            yield normalized(text[start:end]), normalized(reading)


def numbers_in_words(text: str, language: str, most: int) -> list[str]:
    """Return a text with its numbers as they are read, at most so many ways, the commonest first.

    Numbers that no rule of the language reads stay.
    """
    found = apart(
        [(start, end, [*filterfalse(has_digit, readings)]) for start, end, readings in measures(text, language)],
        [
            (quantity.start, quantity.end + len(quantity.scale), in_words(quantity, language))
            for quantity in with_scales(text, language)
        ],
    )
    return [
        replace_all(text, [(start, end, readings[way % len(readings)]) for start, end, readings in found])
        for way in range(min(most, max((len(readings) for _, _, readings in found), default=0)))
    ]


def numbers_in_digits(text: str, language: str, punctuation: frozenset[str]) -> str:
    """Return a text with its numbers in digits, in which only these characters of punctuation occur."""
    found = apart(
        [
            (start, end, readings)
            for start, end, readings in measures(text, language)
            if not is_written(text[start:end], punctuation | GROUPING)
        ],
        [
            (quantity.start, quantity.end + len(quantity.scale), [other])
            for quantity in with_scales(text, language)
            if (other := in_digits(text, quantity, language, punctuation))
        ],
    )
    return replace_all(text, [(start, end, readings[0]) for start, end, readings in found])


def measures(text: str, language: str) -> Iterator[Found]:
    """Yield the first hundred measures of a text."""
    return islice(find_measures(text, language), MAX_QUANTITIES)


def apart(first: list[Found], others: list[Found]) -> list[Found]:
    """Return what can be read, in its order: of the others only what lies outside of the first."""
    taken = {at for start, end, _ in first for at in range(start, end)}
    kept = (found for found in others if taken.isdisjoint(range(found[0], found[1])))
    return sorted(found for found in (*first, *kept) if found[2])


def has_digit(text: str) -> bool:
    """Return whether a text has a digit of any script."""
    return any(map(str.isdecimal, text))


def is_written(text: str, punctuation: frozenset[str]) -> bool:
    """Return whether a text has nothing but letters, digits, spaces and these characters."""
    return all(
        character.isalpha() or character.isdecimal() or character in punctuation for character in text.replace(" ", "")
    )


def in_words(quantity: Quantity, language: str) -> list[str]:
    """Return how a quantity is read, the commonest way first; its scale belongs to it."""
    amounts = number_readings(quantity.digits, language) if quantity.cardinal else ()
    if quantity.sign:
        name = next(iter(unit_names(quantity.sign, quantity.digits, language)), None)
        return [f"{amount}{quantity.scale} {name}" for amount in amounts] if name else []
    ordinals = number_readings(quantity.digits, language, True) if quantity.ordinal else ()
    return [reading for pair in zip_longest(ordinals, amounts) for reading in pair if reading]


def in_digits(text: str, quantity: Quantity, language: str, punctuation: frozenset[str]) -> str | None:
    """Return a quantity without the punctuation that is not listed; None if it needs no change or has no such form."""
    written = text[quantity.start : quantity.end]
    if is_written(written, punctuation):
        return None
    if not quantity.digits.isdecimal():
        return next(iter(in_words(quantity, language)), None)
    if quantity.sign is None:
        return None if quantity.ordinal else quantity.digits
    name = next(iter(unit_names(quantity.sign, quantity.digits, language)), None)
    return name and f"{quantity.digits}{quantity.scale} {name}"


def replace_all(text: str, places: list[tuple[int, int, str]]) -> str:
    """Return a text with something else in these places, which are in their order."""
    written, at = "", 0
    for start, end, other in places:
        written += f"{text[at:start]}{other}"
        at = end
    return written + text[at:]


def with_scales(text: str, language: str) -> list[Quantity]:
    """Return the quantities of a text, whose scale is a word that multiplies the number, or nothing."""
    return [
        quantity if is_scale(quantity.scale.strip(), language) else quantity._replace(scale="")
        for quantity in find_quantities(text, language)
    ]


@lru_cache(1_000)
def is_scale(word: str, language: str) -> bool:
    """Return whether a word multiplies the number before it: thousand, million."""
    large = (number_readings(f"{ones}{'0' * zeros}", language) for zeros in range(2, 13) for ones in (1, 2, 5))
    last = {reading.split()[-1].casefold() for readings in large for reading in readings if " " in reading}
    return word.casefold() in last.difference(number_readings("0", language))

"""Language tags: matching them, the language of a row (the field `lang` of a manifest), and its decimal mark."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

Value = TypeVar("Value")


def language_tag(value: object) -> str | None:
    """Normalize a language tag: `en` for `EN`, `pt-br` for `pt_BR`; None if the value is empty or not a string."""
    return value.strip().lower().replace("_", "-") or None if isinstance(value, str) else None


def match_language(language: str | None, known: Iterable[str]) -> str | None:
    """Return the known language that a tag means: the same (`pt-br`), else the one without its region (`pt`)."""
    if language is None:
        return None
    names = {language_tag(name): name for name in known}
    return names.get(language) or names.get(language.partition("-")[0])


@lru_cache(1_000)
def base_language(tag: str | None) -> str | None:
    """Return a tag's language in its shortest code: `tr` for `tr-TR` and `tur`."""
    if (normalized := language_tag(tag)) is None:
        return None
    from babel.core import get_global

    base = normalized.partition("-")[0]
    return str(get_global("language_aliases").get(base, base))


@lru_cache(1_000)
def decimal_mark(language: str | None) -> str:
    """Return the decimal mark of a language: a point where it is not known."""
    from babel.core import UnknownLocaleError
    from babel.numbers import get_decimal_symbol

    try:
        return "." if language is None else str(get_decimal_symbol(language))
    except (UnknownLocaleError, ValueError):
        return "."


def name_for(name: str, language: str | None) -> str:
    """Return what is called so in one language: `small for de`; the name alone where it is for all others."""
    return f"{name} for {language}" if language else name


def split_by_language(values: Mapping[str, Value]) -> dict[str, dict[str | None, Value]]:
    """Return values by name and by language, None for all others, from those by the names of `name_for`."""
    split: dict[str, dict[str | None, Value]] = {}
    for key, value in values.items():
        name, _, language = key.partition(" for ")
        split.setdefault(name, {})[language or None] = value
    return split


def of_languages(values: Mapping[str | None, Value], tags: Sequence[str | None]) -> list[Value]:
    """Return for each language tag the value of its language, or the one under None, that of all others."""
    known = [name for name in values if name]
    by_tag = {tag: values[match_language(tag, known)] for tag in set(tags)}
    return [by_tag[tag] for tag in tags]


class LanguageFields(msgspec.Struct):
    """The fields of a row that say what is spoken in it and for how long; of any type, as they are not validated."""

    lang: Any = None
    duration: Any = None


decode = msgspec.json.Decoder(LanguageFields).decode


def row_language(fields: str | None) -> str | None:
    """Return the language tag in a row's `fields`, which are JSON; None if it states none."""
    return language_tag(decode(fields).lang) if fields else None


def row_languages(fields: Iterable[str | None]) -> list[str | None]:
    """Return the language tag of each row, by its `fields`."""
    return [row_language(row) for row in fields]

"""Languages of rows: the field `lang` of a manifest."""

from collections.abc import Iterable
from typing import Any

import msgspec

from winnow.text.languages import language_tag


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

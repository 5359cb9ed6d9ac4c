"""Language tags, and matching them."""

from collections.abc import Iterable


def language_tag(value: object) -> str | None:
    """Normalize a language tag: `en` for `EN`, `pt-br` for `pt_BR`; None if the value is empty or not a string."""
    return value.strip().lower().replace("_", "-") or None if isinstance(value, str) else None


def match_language(language: str | None, known: Iterable[str]) -> str | None:
    """Return the known language that a tag means: the same (`pt-br`), else the one without its region (`pt`)."""
    if language is None:
        return None
    names = {language_tag(name): name for name in known}
    return names.get(language) or names.get(language.partition("-")[0])

"""Language tags, and which of some languages a tag means."""

from collections.abc import Iterable


def language_tag(value: object) -> str | None:
    """A language as it is compared: en for EN, pt-br for pt_BR; nothing for what is no text."""
    return value.strip().lower().replace("_", "-") or None if isinstance(value, str) else None


def match_language(language: str | None, known: Iterable[str]) -> str | None:
    """Which of the known languages a row's is: itself (pt-br), else without its region (pt)."""
    if language is None:
        return None
    names = {language_tag(name): name for name in known}
    return names.get(language) or names.get(language.partition("-")[0])

"""Which language the text is written in, by py3langid: one of 97, by strings that are frequent in it."""

from functools import cache
from importlib.metadata import version
from typing import Any

from winnow.listening.measure import Column, TextMeasure, Value


class Language(TextMeasure):
    """The most likely of all languages, for each text by itself; short texts fit several."""

    name = "language"
    packages = {"py3langid": "py3langid"}  # noqa: RUF012
    columns = (
        Column("language", "text", "Language of the text, by its letters: a tag of ISO 639-1, such as en"),
        Column("language_probability", "number", "How likely (0 to 1) it is among all languages that are known"),
    )

    def versions(self) -> dict[str, str]:
        return {"py3langid": version("py3langid"), "method": "1"}

    def measure_text(self, text: str) -> dict[str, Value]:
        tag, probability = load().classify(text)
        return {"language": tag, "language_probability": probability}


@cache
def load() -> Any:
    """Return the classifier, which any number of threads may call."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

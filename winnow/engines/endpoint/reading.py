"""The forms in which an endpoint may answer, and hypotheses from them."""

import json
import math
from functools import cache
from typing import Any, NamedTuple

from winnow.text.hypothesis import Hypothesis, Word


class Reply(NamedTuple):
    """The type of an answer's content, without parameters, and the content."""

    kind: str
    content: bytes


class Unreadable(Exception):
    """An answer that is no transcript."""


class NotJson(Unreadable):
    """An answer that is no JSON where JSON was asked for: perhaps the text alone."""


class Form(NamedTuple):
    """A form of answer, and the fields of a request for it."""

    name: str
    fields: dict[str, str | list[str]]


VERBOSE: dict[str, str | list[str]] = {"response_format": "verbose_json"}
TIMED = Form("verbose_json with words", VERBOSE | {"timestamp_granularities[]": ["segment", "word"]})
FORMS = (
    Form("verbose_json", VERBOSE),
    Form("json", {"response_format": "json"}),
    Form("text", {"response_format": "text"}),
)
"""From the one that says most to the one that every server knows."""


def forms_for(timestamps: bool) -> tuple[Form, ...]:
    """Return the forms to ask for, in order, until a server answers in one."""
    return (TIMED, *FORMS) if timestamps else FORMS


def read_answer(form: str, reply: Reply, timestamps: bool) -> Hypothesis:
    """Return the hypothesis in an answer; what it does not tell is None. Raises Unreadable."""
    if reply.kind == "text/html" or reply.content.lstrip()[:1] == b"<":
        raise Unreadable("an answer in HTML in the place of a transcript")
    try:
        content = reply.content.decode()
        answer = {"text": content} if form == "text" and not content.lstrip().startswith("{") else json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotJson("an answer that is no JSON") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
        raise Unreadable("an answer without a text")
    segments = dicts_in(answer.get("segments"))
    return Hypothesis(
        " ".join(whole(answer["text"]).split()),
        tokens=count_tokens(segments),
        confidence=confidence_of(segments),
        words=words_of(answer) if timestamps else None,
        language=language_of(answer.get("language")),
        no_speech=min(
            (p for segment in segments if (p := number(segment, "no_speech_prob", 0, 1)) is not None), default=None
        ),
    )


def whole(text: str) -> str:
    """Return a text with U+FFFD in the place of each half of a surrogate pair, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def dicts_in(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def number(values: dict[str, Any], name: str, low: float, high: float) -> float | None:
    """Return a number between two limits; None if there is none."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) and low <= value <= high else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def tokens_of(segment: dict[str, Any]) -> int | None:
    tokens = segment.get("tokens")
    return len(tokens) if isinstance(tokens, list) and tokens else None


def count_tokens(segments: list[dict[str, Any]]) -> int | None:
    """Return the number of tokens; None if a segment does not tell."""
    counts = [count for segment in segments if (count := tokens_of(segment)) is not None]
    return sum(counts) if segments and len(counts) == len(segments) else None


def confidence_of(segments: list[dict[str, Any]]) -> float | None:
    """Return the geometric mean of the tokens' probabilities; None if a segment does not tell."""
    total = weights = 0.0
    for segment in segments:
        if (mean := number(segment, "avg_logprob", -math.inf, 0)) is None:
            return None
        weight = tokens_of(segment) or 1
        total, weights = total + weight * mean, weights + weight
    return math.exp(total / weights) if weights else None


def words_of(answer: dict[str, Any]) -> list[Word] | None:
    """Return the words with their times; None if the answer has none, or one without a time."""
    words = []
    for item in dicts_in(answer.get("words")):
        start, end = number(item, "start", 0, math.inf), number(item, "end", 0, math.inf)
        if start is None or end is None or not isinstance(item.get("word"), str):
            return None
        words.append(Word(whole(item["word"]).strip(), start, end))
    return words or None


def language_of(value: object) -> str | None:
    """Return the code of a language, which OpenAI writes as its English name."""
    if not isinstance(value, str) or not value.strip():
        return None
    name = whole(value).strip().lower()
    return None if name in NO_LANGUAGE else language_codes().get(name, name)


NO_LANGUAGE = {"unknown", "auto", "none", "und"}

OTHER_NAMES = {
    **{"bengali": "bn", "burmese": "my", "castilian": "es", "flemish": "nl", "haitian": "ht", "mandarin": "zh"},
    **{"moldavian": "ro", "moldovan": "ro", "myanmar": "my", "nynorsk": "nn", "panjabi": "pa", "pushto": "ps"},
    **{"sinhalese": "si", "valencian": "ca"},
}
"""Names of languages that Whisper uses and that are not those of Unicode's CLDR."""


@cache
def language_codes() -> dict[str, str]:
    """Map the English names of languages, in small letters, to their codes."""
    from babel import Locale

    return {name.lower(): code for code, name in Locale("en").languages.items()} | OTHER_NAMES

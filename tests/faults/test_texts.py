"""Adversarial texts: the time for a text grows with its length, not with its square.

`make test` tries a few kinds of text, `make soak` two hundred, of 1 MiB each (`WINNOW_TEXTS`).
"""

import json
import os
import string
import time
from collections.abc import Callable

import pytest

from winnow.corpora.nemo_jsonl.parse_line import parse_line
from winnow.parameters.redaction import redact_bytes
from winnow.reports.formatting import escape_markdown
from winnow.schema import UTTERANCE
from winnow.text.comparison import Comparison
from winnow.text.hypothesis import Hypothesis
from winnow.text.metrics import all_scores
from winnow.text.normalize import MAX_TEXT, is_too_long, normalize
from winnow.text.rover import VoteWeights, most_confident, rover
from winnow.text.spelled_like import differences
from winnow.text.text_stats import TEXT_STATS
from winnow.text.writing_style import WritingStyle, candidate_spellings

ALL = bool(os.environ.get("WINNOW_TEXTS"))
LINE = 2**20 if ALL else 2**14  # characters
TIMES, SECONDS = 30, 5.0 if ALL else 0.3
"""The CPU time that a text may take: so many times that of harmless text, and so much more ..."""
GROWTH = 8
"""... or so many times that of a quarter of it: 4 where time grows with the length, 16 where with its square."""

KNOWN = {  # each took the square of its length, or more, in something
    "urls with passwords": ":/a:b",
    "apostrophes in a word": "'",
    "one word of hyphens": "ha-",
    "square brackets": "[",
    "angle brackets": "<",
    "parentheses": "(",
    "stacked marks": "\u0301\u0327",
    "expanding ligatures": "\ufdfa",
    "one long word": "x",
    "digits": "1",
    "groups of digits": "1,000",
    "escapes": '\\"',
    "words without a letter": "- ",
}
PARTS = {
    "brackets": """() [] {} <> (( [[a {{a <a </a <| <|a [(<{ *a* **a `` ``a [noise] [noise (laughter {cough <i> </i <a=
        <|0.00|> [0:00 [ \\[ <<a>> ]] )) }} >> [a](b)""",
    "entities": "&# &a; &amp &amp; &#39; &#x &lt;i&gt; && &;",
    "numbers": """1. 1'000 -1 $1 1% 1st 1.5 1:0 €5€ 12,34 0, ٣ ١٬٠٠٠ ½ ² 5° 5°C 1-1 0x1 1e9 #1 1/2 1,000.5 1,,000""",
    "addresses": """http://a:b@c/ :// a://b :/@ :/a@ s3://a:1/ ?token= &sig=a // /./ /../ @ a@b www. a.b. U.S. :/
        ://a:b/ #key=""",
    "letters": """İ ı I ß ﬁ ŉ 가 한글 今 òa ё ΑΒΓ Ά أ œ 😀 ´a ’ a’ 𝔸 ㌖ ⁇ ▁a \u200d \u200b \u0640 \u064b \u05b0 \ufe0f
        \u0d28\u0d4d\u200d \u0928\u094d\u0926 \u0130\u0307 か\u3099 ก\u0e4d\u0e48 \u1100\u1161\u11a8 \u00b4 \u0f71\u0f72
        Z\u0335 a\u0328\u0301 \u0345""",
    "JSON": """{"a": [1, {"a":1}, \\u0041 \\ud800 \\udc00\\ud800 null, nan \\ " \\" [{ }] -0. 1e""",
}
PHRASES = (
    *(
        "1 ",
        "1 000 ",
        " -1",
        "$1 ",
        "1 a ",
        "1 & ",
        "a & b ",
        "twenty one ",
        "one hundred and ",
        "double 0 ",
        "two dollars ",
    ),
    *(
        "가 ",
        "今 ",
        "ò a",
        "ΑΒΓ ",
        "أ ",
        "œ ",
        "ﷺ ",
        "\t",
        "\r",
        "\x00",
        "\x1b[31m",
        "\u2028",
        " \u0301",
        "\u00a0",
        "… ",
        "— ",
    ),
    *(
        "ha ",
        "I am ",
        "e-mail ",
        "it's ",
        "Mr. ",
        "dr. x ",
        "o'clock ",
        "no. 5 ",
        "a a b ",
        "um uh ",
        "cannot ",
        "'' ",
        '"a" ',
    ),
)
OTHERS = {
    **{f"character {c}": c for c in string.punctuation},
    **{f"word and {c}": f"a{c}b" for c in string.punctuation},
    **{f"{c} between words": f" {c} a" for c in string.punctuation},
    **{f"{name} {part!a}": part for name, parts in PARTS.items() for part in parts.split()},
    **{f"phrase {phrase!a}": phrase for phrase in PHRASES},
}
KINDS = KNOWN | OTHERS if ALL else KNOWN
HARMLESS = "The quick brown fox – “it’s late” – jumps over the lazy dog, and then sleeps all day. "


def fill(fragment: str, size: int) -> str:
    return (fragment * (size // len(fragment) + 1))[:size]


def parse(text: str) -> None:
    row = parse_line(json.dumps({"audio_filepath": "a.wav", "text": text, "x": text}).encode(), "/d")
    assert (row["reason"] == "TEXT_TOO_LONG") == is_too_long(text)


def parse_raw(text: str) -> None:
    for line in (f'{{"audio_filepath": "a.wav", "text": "{text}"}}', text, f'{{"audio_filepath": "{text}"}}'):
        assert set(parse_line(line.encode("utf-8", "surrogatepass"), "/d")) <= {*UTTERANCE.names}


def measure_text(text: str) -> None:
    for stat in TEXT_STATS.values():
        if stat.measure:
            stat.measure("1000")(text)


def score(text: str) -> None:
    """Compare as much of a text as is ever compared, with itself, with some errors, and with another text."""
    text = shorten(text)
    for other in (text[len(text) // 3 :], f"x {text[::-1]}", fill(HARMLESS, len(text))):
        all_scores(text, other, Comparison("basic", merge_compounds=True), "en")


def tell_apart(text: str) -> None:
    text = shorten(text)
    for other in (text[len(text) // 3 :], f"x {text[::-1]}", fill(HARMLESS, len(text))):
        differences(text, other, "basic", "en")


def spell(text: str) -> None:
    text = shorten(text)
    for style in (WritingStyle(False, False, frozenset(), LETTERS), WritingStyle(True, True, SIGNS, LETTERS)):
        assert len(candidate_spellings(text, "en", style)) <= 4


def vote(text: str) -> None:
    text = shorten(text)
    hypotheses = [Hypothesis(other, confidence=0.5) for other in (text, text[7:], text[::-1])]
    rover(hypotheses, "basic", VoteWeights())
    most_confident(hypotheses, "whisper")


def shorten(text: str) -> str:
    text = text[:MAX_TEXT]
    while is_too_long(text):
        text = text[: len(text) // 2]
    return text


WORK: dict[str, Callable[[str], object]] = {
    "parse": parse,
    "parse raw": parse_raw,
    "redact": lambda text: redact_bytes(text.encode("utf-8", "surrogatepass")),
    "basic": lambda text: normalize(text, "basic"),
    "basic in English": lambda text: normalize(text, "basic", "en"),
    "letters": lambda text: normalize(text, "letters-fr"),
    "whisper": lambda text: normalize(text, "whisper"),
    "whisper-english": lambda text: normalize(text, "whisper-english"),
    "measure": measure_text,
    "score": score,
    "differences": tell_apart,
    "spellings": spell,
    "vote": vote,
    "report": escape_markdown,
}
SHORTER = {
    "whisper": 2**12,
    "whisper-english": 2**12,
    "measure": 2**12,
    "score": 2**13,
    "vote": 6_500,
    "differences": 2**13,
}
"""The characters for what takes much time for any text, in `make test`."""
LETTERS, SIGNS = frozenset(string.ascii_lowercase), frozenset(string.punctuation)
harmless_seconds: dict[str, float] = {}


def seconds_of(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began


@pytest.mark.parametrize("what", WORK)
@pytest.mark.parametrize("kind", KINDS)
def test_adversarial_text_takes_time_in_proportion_to_its_length(kind, what):
    size = LINE if ALL else SHORTER.get(what, LINE)
    if what not in harmless_seconds:
        harmless_seconds[what] = seconds_of(WORK[what], fill(HARMLESS, size))
    took = seconds_for(what, kind, size)
    enough = TIMES * harmless_seconds[what] + SECONDS
    assert took < enough or took < GROWTH * seconds_for(what, kind, size // 4)


def seconds_for(what: str, kind: str, size: int) -> float:
    return seconds_of(WORK[what], f"a{fill(KINDS[kind], size - 2)}b")


def test_soak_has_two_hundred_kinds_of_text():
    assert len(KNOWN | OTHERS) >= 200

"""Write a hypothesis as its reference is written, where both are spellings of the same words.

Some spellings are equal only beside one another: `e-mail` and `email`, `1 000` and `1000`, `25` and `twenty five`. What
the reference has stays, and of the hypothesis only what then agrees with it changes: no other error is hidden.
"""

import re
from collections.abc import Callable, Iterator
from itertools import accumulate, chain, pairwise

from rapidfuzz.distance import Levenshtein

from winnow.text.basic import TURKIC, evident_language
from winnow.text.comparison import Comparison, comparison_by
from winnow.text.languages import base_language
from winnow.text.markup import strip_markup
from winnow.text.normalize import Normalizer, normalize
from winnow.text.number_words import and_word
from winnow.text.quantities import number_spellings
from winnow.text.words import split_words

MAX_CHARACTERS = 20_000  # of a text that is respelled, about twenty minutes of speech
MAX_TRIALS = 100  # in a pair of texts
MAX_COMPOUND = 4  # words that are one word elsewhere

JOINERS = r"\-\u2010\u2011\u00b7\u05be\u05f4\"\u200c"  # in a class of characters
_LETTER = r"[^\W\d_]"
JOINER = re.compile(rf"(?<={_LETTER})[{JOINERS}](?=\w)|(?<=\w)[{JOINERS}](?={_LETTER})")
ABBREVIATION = re.compile(rf"(?:{_LETTER}{{1,2}}\.)+{_LETTER}?\W?")
_GROUPS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?: \d{3})+(?![\d.,]?\d)")
_AMPERSAND = re.compile(r"(?<!\w)(\w{1,40}) ?& ?(\w{1,40})")
_SIMPLER = str.maketrans({"\u0622": "ا", "\u0623": "ا", "\u0625": "ا", "\u0671": "ا", "œ": "oe", "æ": "ae"})
_NASAL = re.compile(
    "\u0919\u094d(?=[\u0915-\u0918])|\u091e\u094d(?=[\u091a-\u091d])|\u0923\u094d(?=[\u091f-\u0922])"
    "|\u0928\u094d(?=[\u0924-\u0927])|\u092e\u094d(?=[\u092a-\u092d])"
)
_ACCENTED = str.maketrans("άέήίόύώϊϋΐΰ", "αεηιουωιυιυ")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_NOTABLE = re.compile(
    rf"[\d\u00bc-\u00be\u2150-\u215e&{JOINERS}\u0622\u0623\u0625\u0671œæŒÆΑ-Ω]|\.\w|[\u0919\u091e\u0923\u0928\u092e]\u094d|I[^\W\d_A-Z]"
)
"""What occurs in every text that has another spelling."""

_SIMPLE_ASCII = bytes(set(range(128)) - set(b'0123456789&-".'))
"""What does not in ASCII, except for I in Turkic languages."""


def normalize_pair(
    reference: str, hypothesis: str, comparison: Comparison | Normalizer, language: str | None = None
) -> tuple[str, str]:
    """Normalize a reference and a hypothesis, which is respelled like the reference.

    `language` is the tag of what is spoken; without one, letters of either text may tell. By Whisper's normalizers and
    `none`, nothing but compounds is respelled.
    """
    comparison = comparison_by(comparison)
    expected, actual = respelled_pair(reference, hypothesis, comparison.normalizer, language)
    if comparison.merge_compounds and expected != actual:
        actual = join_compounds(expected, actual)
    return expected, actual


def respelled_pair(reference: str, hypothesis: str, normalizer: Normalizer, language: str | None) -> tuple[str, str]:
    """Do the same but for compounds."""
    language = language_of(reference, hypothesis, language)
    expected, actual = normalize(reference, normalizer, language), normalize(hypothesis, normalizer, language)
    if expected == actual:
        return expected, actual
    texts = f"{reference.rstrip('.')} {hypothesis.rstrip('.')}"
    if is_simple_ascii(texts, language) or normalizer.startswith(("whisper", "none")):
        return expected, actual
    if not expected or not actual or max(len(expected), len(actual)) > MAX_CHARACTERS:
        return expected, actual
    if _HANGUL.search(expected) and _HANGUL.search(actual):
        actual = space_like(expected, actual)
    if _NOTABLE.search(texts):
        actual = respell(reference, hypothesis, expected, actual, normalizer, language)
    return expected, actual


def language_of(reference: str, hypothesis: str, tag: str | None) -> str | None:
    """Return the language of a pair of texts: that of its tag, or else the one that letters of either give away."""
    if tag is None and reference.isascii() and hypothesis.isascii():
        return None
    return base_language(tag) or evident_language(reference, hypothesis)


def is_simple_ascii(text: str, language: str | None) -> bool:
    """Return whether a text is ASCII that has one spelling, which takes less time to tell than searching it."""
    return text.isascii() and language not in TURKIC and not text.encode().translate(None, _SIMPLE_ASCII)


def respell(
    reference: str, hypothesis: str, expected: str, actual: str, normalizer: Normalizer, language: str | None
) -> str:
    """Return the hypothesis, normalized to `actual`, as the reference, normalized to `expected`, is written."""

    def normalized(text: str) -> str:
        return " ".join(split_words(normalize(text, normalizer, language)))

    expected_words, actual_words = split_words(expected), split_words(actual)
    raw = strip_markup(reference), strip_markup(hypothesis)
    changes = chain(
        ((other, written) for written, other in spellings(*raw, normalized, language)),
        ((written, other) for written, other in spellings(*raw[::-1], normalized, language)),
    )
    respelled = apply(changes, f" {' '.join(expected_words)} ", f" {' '.join(actual_words)} ")
    return actual if respelled is None else respelled


def join_compounds(expected: str, actual: str) -> str:
    """Return a hypothesis with words joined and split as its reference has them: home page, homepage."""
    if max(len(expected), len(actual)) > MAX_CHARACTERS:
        return actual
    words, read = split_words(expected), split_words(actual)
    if "".join(words) == "".join(read) and not any(map(str.isdecimal, words)):
        return expected
    changes = chain(
        ((joined, parts) for joined, parts in compounds(words, set(read))),
        ((parts, joined) for joined, parts in compounds(read, set(words))),
    )
    return apply(changes, f" {' '.join(words)} ", f" {' '.join(read)} ") or actual


def compounds(words: list[str], others: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the runs of two to four words that are one word of another text: that word and the run."""
    for size in range(2, MAX_COMPOUND + 1):
        for parts in zip(*(words[start:] for start in range(size)), strict=False):
            joined = "".join(parts)
            if joined in others and not any(map(str.isdecimal, parts)):
                yield joined, " ".join(parts)


def equal_texts(first: str, second: str, comparison: Comparison | Normalizer, language: str | None = None) -> bool:
    """Return whether two texts have the same words."""
    texts = normalize_pair(first, second, comparison, language)
    return texts[0] == texts[1] or split_words(texts[0]) == split_words(texts[1])


def apply(changes: Iterator[tuple[str, str]], expected: str, actual: str) -> str | None:
    """Apply the changes to a hypothesis that bring it nearer to its reference; None if there are none.

    Both texts begin and end with a space.
    """
    before = actual
    possible = {(old, new) for old, new in changes if old != new and f" {old} " in actual and f" {new} " in expected}
    trials = 0
    words = expected.split()
    for old, new in sorted(possible, key=lambda change: (-len(f"{change[0]}{change[1]}"), change)):
        at = actual.find(f" {old} ")
        while at >= 0 and trials < MAX_TRIALS:
            changed = f"{actual[: at + 1]}{new}{actual[at + 1 + len(old) :]}"
            trials += 1
            nearer = Levenshtein.distance(words, changed.split()) < Levenshtein.distance(words, actual.split())
            if nearer:
                actual = changed
            at = actual.find(f" {old} ", at + (len(new) if nearer else 1))
    return None if actual == before else actual.strip()


def spellings(
    text: str, other: str, normalized: Callable[[str], str], language: str | None
) -> Iterator[tuple[str, str]]:
    """Yield the spellings that a text has beside another one: its own, normalized, and the other one."""
    for token in text.split():
        if len(token) <= 100 and _NOTABLE.search(token):
            yield from token_spellings(token, normalized, language)
    for match in _GROUPS.finditer(text):
        yield normalized(match[0]), normalized(match[0].replace(" ", ""))
    if language is not None:
        yield from number_spellings(text, normalized, language)
        if "&" in text and (word := and_word(language)):
            for match in _AMPERSAND.finditer(text):
                yield normalized(match[0]), normalized(f"{match[1]} {word} {match[2]}")
    if capitals := {token for token in text.split() if token.isupper() and re.search("[Α-Ω]", token)}:
        plain = {normalized(token) for token in capitals}
        for word in set(normalized(other).split()):
            if (stripped := word.translate(_ACCENTED)) != word and stripped in plain:
                yield stripped, word


def token_spellings(token: str, normalized: Callable[[str], str], language: str | None) -> Iterator[tuple[str, str]]:
    """Yield the other spellings of a stretch without spaces."""
    if JOINER.search(token):
        yield normalized(token), normalized(JOINER.sub("", token))
        if "\u200c" in token:
            yield normalized(token), normalized(token.replace("\u200c", " "))
    if ABBREVIATION.fullmatch(token):
        yield normalized(token), normalized(token.replace(".", ""))
    if language in TURKIC and token.startswith("I") and not token.isupper():
        yield normalized(token), normalized(f"i{token[1:]}")
    word = normalized(token)
    simpler = _NASAL.sub("\u0902", word).translate(_SIMPLER)
    if simpler != word:
        yield word, simpler


def space_like(expected: str, actual: str) -> str:
    """Put the spaces between Hangul where the reference has them, because writers space Korean differently.

    After the space-normalized WER of Bang et al., KsponSpeech, Applied Sciences 2020.
    """
    reference, hypothesis = expected.replace(" ", ""), actual.replace(" ", "")
    wanted, spaces = space_places(expected), space_places(actual)
    for step in Levenshtein.opcodes(reference, hypothesis):
        if step.tag == "equal":
            shift, inside = step.dest_start - step.src_start, range(step.dest_start + 1, step.dest_end)
            moved = {place + shift for place in wanted if place + shift in inside}
            own = {place for place in spaces if place in inside}
            for place in moved ^ own:
                if _HANGUL.match(hypothesis, place - 1) and _HANGUL.match(hypothesis, place):
                    spaces ^= {place}
    bounds = [0, *sorted(spaces), len(hypothesis)]
    return " ".join(hypothesis[start:end] for start, end in pairwise(bounds))


def space_places(text: str) -> set[int]:
    """Return the places of spaces between words, as numbers of characters before them, spaces aside."""
    return set(accumulate(map(len, text.split()[:-1])))

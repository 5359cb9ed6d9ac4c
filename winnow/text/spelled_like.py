"""Find where a text has other words than a reading of the same speech, so that it can be written like the reading.

Where both have the same words, by every equality of `winnow.text.respell`, the reading's own spelling stays: a text
that only casing, punctuation or digits tell from the reading becomes the reading itself.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress

from rapidfuzz.distance import Levenshtein

from winnow.text.comparison import Comparison, comparison_by
from winnow.text.markup import strip_markup
from winnow.text.normalize import Normalizer, normalize
from winnow.text.respell import equal_texts, is_simple_ascii, language_of, normalize_pair
from winnow.text.words import has_spaceless, split_tokens, split_words

MAX_CACHED = 100  # characters of a token
SPOKEN_SIGNS = frozenset("&%@#‰")  # punctuation to Unicode

Words = tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A stretch of a reading, as it is written, and the words of the text there; None where they are the same words.

    `text` is empty where the text leaves the words out; `reading` is empty where it puts some in. `spaced` tells
    whether a space precedes the part, which scripts without spaces do not have. `place` is how many words of the text
    precede it, as they are written but without markup; in scripts without spaces, characters.
    """

    reading: str
    text: str | None
    spaced: bool = True
    place: int = field(default=0, compare=False)


def differences(
    reading: str, text: str, comparison: Comparison | Normalizer, language: str | None = None
) -> list[Part]:
    """Split a reading into the parts that have the same words as a text, and those that do not, in their order.

    One part, or none, is the same exactly where the WER is 0. `join_parts` writes the text like the reading.
    """
    if reading == text:
        return same_throughout(reading)
    expected, actual = normalize_pair(text, reading, comparison, language)
    words, read = split_words(expected), split_words(actual)
    if words == read:
        return same_throughout(reading)
    normalizer, language = comparison_by(comparison).normalizer, language_of(text, reading, language)
    tokens, tokens_words = read_tokens(reading, normalizer, language)
    others, others_words = spoken_tokens(text, normalizer, language)
    bounds, exact = token_bounds(tokens_words, read)
    other_bounds, other_exact = token_bounds(others_words, words)
    parts, start, other = list[Part](), 0, 0
    for same, end, other_end in stretches(read, words, bounds, other_bounds):
        old, new = written(tokens[start:end]), written(others[other:other_end])
        if old or (new and not same):
            spaced = tokens[start - 1].endswith(" ") if start and old else needs_space(tokens[start - 1 : start], new)
            parts.append(Part(old, None if same else new, spaced, other))
        start, other = end, other_end
    if exact and other_exact and is_simple_ascii(f"{reading} {text}", language):
        return parts
    if equal_texts(text, join_parts(parts), comparison, language):
        return parts
    return [Part(written(tokens), written(others))]  # it normalizes otherwise in parts than as a whole


def same_throughout(reading: str) -> list[Part]:
    """Return the parts of a reading that has the words of the text."""
    return [Part(" ".join(reading.split()), None)] if reading and not reading.isspace() else []


def join_parts(parts: Sequence[Part], texts: Sequence[str] | None = None) -> str:
    """Write these texts in the place of the parts; by default the reading where it is the same, else the text."""
    if texts is None:
        texts = [part.reading if part.text is None else part.text for part in parts]
    joined, kept = "", True
    for part, text in zip(parts, texts, strict=True):
        if not text:
            kept = False
            continue
        own = text == part.reading
        spaced = part.spaced if own and kept else needs_space([joined[-1:]], text)
        joined += f" {text}" if joined and spaced else text
        kept = own
    return joined


def needs_space(before: Sequence[str], after: str) -> bool:
    """Return whether a text is separated by a space from those before it, by the scripts of their edges."""
    edges = f"{''.join(before)[-1:]}{after[:1]}"
    return edges.isascii() or not any(has_spaceless(edge) and not edge.isdecimal() for edge in edges)


def written(tokens: list[str]) -> str:
    """Return tokens as they are written, with single spaces."""
    return "".join(tokens).strip()


def read_tokens(text: str, normalizer: Normalizer, language: str | None) -> tuple[list[str], list[Words]]:
    """Return the tokens of a text, and the normalized words of each: none of a dash, two of `twenty-one`."""
    tokens = split_tokens(text)
    return tokens, [
        (_token_words if len(token) <= MAX_CACHED else _token_words.__wrapped__)(token, normalizer, language)
        for token in tokens
    ]


def spoken_tokens(text: str, normalizer: Normalizer, language: str | None) -> tuple[list[str], list[Words]]:
    """Return the same of what is or may be spoken: no markup and no lone dash, but signs such as &."""
    tokens, words = read_tokens(strip_markup(text), normalizer, language)
    if all(words):
        return tokens, words
    spoken = [bool(own) or any(map(is_sign, token)) for token, own in zip(tokens, words, strict=True)]
    return list(compress(tokens, spoken)), list(compress(words, spoken))


def is_sign(character: str) -> bool:
    """Return whether a character alone may be read as a word."""
    return character in SPOKEN_SIGNS or unicodedata.category(character) in ("Sc", "Sm")


@lru_cache(2**16)
def _token_words(token: str, normalizer: Normalizer, language: str | None) -> Words:
    return tuple(split_words(normalize(token, normalizer, language)))


def token_bounds(tokens: list[Words], words: list[str]) -> tuple[list[int | None], bool]:
    """Return which token begins at each of the words, and after them; None where a word begins inside a token.

    A token without words belongs to the one before it. The words are those of the whole text, normalized and perhaps
    respelled; where they are not those of the tokens, they are only bounded together, and the second value is False.
    """
    own: list[str] = []
    begins: dict[int, int] = {}
    for number, parts in enumerate(tokens):
        if parts:
            begins[len(own)] = number
            own += parts
    exact = own == words
    bounds: list[int | None]
    if exact:
        bounds = [*map(begins.get, range(len(words))), None]
    else:
        bounds = [None] * (len(words) + 1)
        for step in Levenshtein.opcodes(own, words):
            if step.tag == "equal":
                begun = map(begins.get, range(step.src_start, step.src_end + 1))
                bounds[step.dest_start : step.dest_end + 1] = begun
    bounds[-1] = len(tokens)
    bounds[0] = 0
    return bounds, exact


def stretches(
    read: list[str], words: list[str], bounds: list[int | None], others: list[int | None]
) -> Iterator[tuple[bool, int, int]]:
    """Yield whether each stretch has the same words, and where it ends: as numbers of tokens of reading and text.

    Stretches are cut only where a token begins in both.
    """
    last = (0, 0)
    for step in Levenshtein.opcodes(read, words):
        if step.tag != "equal":
            continue
        shift = step.dest_start - step.src_start
        size = range(step.src_start, step.src_end + 1)
        first, final = (next(clean_cuts(bounds, others, order, shift), None) for order in (size, reversed(size)))
        if first and final:
            if first != last:
                yield False, *first
            if final != first:
                yield True, *final
            last = final
    yield False, 10**9, 10**9


def clean_cuts(
    bounds: list[int | None], others: list[int | None], places: Iterable[int], shift: int
) -> Iterator[tuple[int, int]]:
    """Yield the tokens that begin at each of these words of the reading, `shift` words later in the text."""
    for at in places:
        token, other = bounds[at], others[at + shift]
        if token is not None and other is not None:
            yield token, other

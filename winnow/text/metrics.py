"""Word and character errors of a hypothesis against its reference.

The fields of `ErrorMeasures` are the score columns of every model: add a field there, with its type and description,
and compute it in `compare_texts`; the column, its name in rules and its documentation follow.

Empty texts are treated alike everywhere: a reference without words has no rates (None), so no hypothesis is right or
wrong by it; a hypothesis without words has a WER of 1, with every word deleted.
"""

from typing import Annotated, NamedTuple, get_type_hints

from rapidfuzz.distance import Levenshtein

from winnow.text.comparison import Comparison
from winnow.text.normalize import Normalizer
from winnow.text.respell import normalize_pair
from winnow.text.words import has_spaceless, join_spaceless, split_words

EDGE_CHARACTERS = 10  # characters, as in NeMo's recipes


class ErrorMeasures(NamedTuple):
    """Errors of a hypothesis against its reference, both normalized. The defaults are those of a perfect hypothesis."""

    wer: Annotated[float, "Word error rate: wrong words per word of the reference; above 1 with many insertions"] = 0.0
    cer: Annotated[
        float, "Character error rate, per character of the reference; spaces count only in scripts that have them"
    ] = 0.0
    hits: Annotated[int, "Correct words"] = 0
    substitutions: Annotated[int, "Words of the reference that were replaced by others"] = 0
    deletions: Annotated[int, "Words of the reference that are missing in the hypothesis"] = 0
    insertions: Annotated[int, "Words of the hypothesis that are not in the reference"] = 0
    begin_cer: Annotated[float, "Character error rate of the first ten characters"] = 0.0
    end_cer: Annotated[float, "Character error rate of the last ten characters"] = 0.0
    begin_gap: Annotated[int, "Difference in length before the first correct word, in characters"] = 0
    end_gap: Annotated[int, "Difference in length after the last correct word, in characters"] = 0
    wrong_run: Annotated[int, "Longest run of wrong words, counted in the longer of the two texts"] = 0
    deleted_run: Annotated[int, "Longest run of deleted words"] = 0
    inserted_run: Annotated[int, "Longest run of inserted words"] = 0


class Metric(NamedTuple):
    """The type (int or float) and the description of a score column."""

    type: type
    description: str


METRICS = {
    name: Metric(hint.__origin__, hint.__metadata__[0])
    for name, hint in get_type_hints(ErrorMeasures, include_extras=True).items()
} | {"exact_wer": Metric(float, "Word error rate of the texts before normalization, with case and punctuation")}
"""Every score column by name."""


def word_error_rate(reference: str, hypothesis: str) -> float | None:
    """Return substitutions, deletions and insertions per word of the reference; None if the reference has no words.

    The count is the same as jiwer's. Insertions can bring the rate above 1.
    """
    expected = split_words(reference)
    if not expected:
        return None
    return 0.0 if reference == hypothesis else Levenshtein.distance(expected, split_words(hypothesis)) / len(expected)


def character_error_rate(reference: str, hypothesis: str) -> float:
    """Return wrong characters per character of the reference, which must not be empty.

    The rate is the same as jiwer's, but spaces beside characters of scripts without spaces are no characters.
    """
    return error_rate(join_spaceless(reference), join_spaceless(hypothesis))


def error_rate(reference: str, hypothesis: str) -> float:
    """Return wrong characters, spaces among them, per character of the reference."""
    return Levenshtein.distance(reference, hypothesis) / len(reference)


def compare_texts(reference: str, hypothesis: str) -> ErrorMeasures | None:
    """Measure the errors of a hypothesis from one alignment of the words; None if the reference has no words.

    Both texts are expected as `normalize_pair` returns them.
    """
    expected = split_words(reference)
    if not expected:
        return None
    if reference == hypothesis:
        return ErrorMeasures(hits=len(expected))
    actual = split_words(hypothesis)
    count = {"equal": 0, "replace": 0, "delete": 0, "insert": 0}
    longest = {"delete": 0, "insert": 0}
    begins, ends = [(0, 0)], []  # of the stretches of wrong words, as (index in reference, index in hypothesis)
    for tag, start, end, actual_start, actual_end in edit_steps(expected, actual):
        size = end - start or actual_end - actual_start
        count[tag] += size
        if tag == "equal":
            ends.append((start, actual_start))
            begins.append((end, actual_end))
        elif tag != "replace" and size > longest[tag]:
            longest[tag] = size
    ends.append((len(expected), len(actual)))
    stretches = zip(begins, ends, strict=True)
    if not (reference.isascii() and hypothesis.isascii()):
        reference, hypothesis = join_spaceless(reference), join_spaceless(hypothesis)
    return ErrorMeasures(
        wer=(count["replace"] + count["delete"] + count["insert"]) / len(expected),
        cer=error_rate(reference, hypothesis),
        hits=count["equal"],
        substitutions=count["replace"],
        deletions=count["delete"],
        insertions=count["insert"],
        begin_cer=error_rate(reference[:EDGE_CHARACTERS], hypothesis[:EDGE_CHARACTERS]),
        end_cer=error_rate(reference[-EDGE_CHARACTERS:], hypothesis[-EDGE_CHARACTERS:]),
        begin_gap=edge_gap(expected[: ends[0][0]], actual[: ends[0][1]]),
        end_gap=edge_gap(expected[begins[-1][0] :], actual[begins[-1][1] :]),
        wrong_run=max(max(end - start, stop - since) for (start, since), (end, stop) in stretches),
        deleted_run=longest["delete"],
        inserted_run=longest["insert"],
    )


def all_scores(
    reference: str, hypothesis: str, comparison: Comparison | Normalizer, language: str | None = None
) -> dict[str, float] | None:
    """Return every score column of a hypothesis, by the names of METRICS; None if the reference has no words."""
    errors = compare_texts(*normalize_pair(reference, hypothesis, comparison, language))
    if errors is None:
        return None
    return errors._asdict() | {"exact_wer": word_error_rate(reference, hypothesis)}


def edit_steps(expected: list[str], actual: list[str]) -> list[tuple[str, int, int, int, int]]:
    """List the edits from reference to hypothesis: operation, start and end in the one, start and end in the other."""
    return Levenshtein.opcodes(expected, actual).as_list()  # type: ignore[return-value]


def edge_gap(expected: list[str], actual: list[str]) -> int:
    """Return how many characters longer one is than the other, each word counted with the space after it, if any."""
    if not expected and not actual:
        return 0
    return abs(length(expected) - length(actual))


def length(words: list[str]) -> int:
    """Return the characters of words with a space after each, but none in scripts without spaces."""
    spaces = len(words) if all(map(str.isascii, words)) else sum(not has_spaceless(word) for word in words)
    return sum(map(len, words)) + spaces

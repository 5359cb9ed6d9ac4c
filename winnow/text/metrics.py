"""How a reading differs from its reference: rates, counts, runs and edges.

One policy for empty texts: a reference without words has no rates (null), and no reading is right or wrong by it; a
reading without words has a WER of one, every word deleted.
"""

from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from winnow.text.normalize import split_words

EDGE_CHARACTERS = 10  # characters, as in NeMo's recipes


class ErrorMeasures(NamedTuple):
    """Of a reading from its reference, both as they are compared. Rates are fractions of the reference.

    `begin_cer` and `end_cer` are over the first and last ten characters. `begin_gap` and `end_gap` are how many
    characters longer one of the two is before the first word that is right, and after the last. A run is of words
    one after the other: `wrong_run` of any that are wrong, counted in the reference or in the reading.
    """

    wer: float
    cer: float
    hits: int
    substitutions: int
    deletions: int
    insertions: int
    begin_cer: float
    end_cer: float
    begin_gap: int
    end_gap: int
    wrong_run: int
    deleted_run: int
    inserted_run: int


def word_error_rate(reference: str, hypothesis: str) -> float | None:
    """Substitutions, deletions and insertions over the words of the reference; null if the reference has none.

    The same count as jiwer's. Insertions can bring a rate above one.
    """
    expected = split_words(reference)
    if not expected:
        return None
    return 0.0 if reference == hypothesis else Levenshtein.distance(expected, split_words(hypothesis)) / len(expected)


def character_error_rate(reference: str, hypothesis: str) -> float:
    return Levenshtein.distance(reference, hypothesis) / len(reference)


def compare_texts(reference: str, hypothesis: str) -> ErrorMeasures | None:
    """All of them, from one alignment of the words; nothing if the reference has none."""
    expected = split_words(reference)
    if not expected:
        return None
    if reference == hypothesis:
        return ErrorMeasures(0.0, 0.0, len(expected), 0, 0, 0, 0.0, 0.0, 0, 0, 0, 0, 0)
    heard = split_words(hypothesis)
    count = {"equal": 0, "replace": 0, "delete": 0, "insert": 0}
    longest = {"delete": 0, "insert": 0}
    begins, ends = [(0, 0)], []  # of the stretches of wrong words, in the reference and in the reading
    for tag, start, end, heard_start, heard_end in edit_steps(expected, heard):
        size = end - start or heard_end - heard_start
        count[tag] += size
        if tag == "equal":
            ends.append((start, heard_start))
            begins.append((end, heard_end))
        elif tag != "replace" and size > longest[tag]:
            longest[tag] = size
    ends.append((len(expected), len(heard)))
    stretches = zip(begins, ends, strict=True)
    return ErrorMeasures(
        (count["replace"] + count["delete"] + count["insert"]) / len(expected),
        character_error_rate(reference, hypothesis),
        count["equal"],
        count["replace"],
        count["delete"],
        count["insert"],
        begin_cer=character_error_rate(reference[:EDGE_CHARACTERS], hypothesis[:EDGE_CHARACTERS]),
        end_cer=character_error_rate(reference[-EDGE_CHARACTERS:], hypothesis[-EDGE_CHARACTERS:]),
        begin_gap=edge_gap(expected[: ends[0][0]], heard[: ends[0][1]]),
        end_gap=edge_gap(expected[begins[-1][0] :], heard[begins[-1][1] :]),
        wrong_run=max([max(end - start, over - since) for (start, since), (end, over) in stretches]),
        deleted_run=longest["delete"],
        inserted_run=longest["insert"],
    )


def edit_steps(expected: list[str], heard: list[str]) -> list[tuple[str, int, int, int, int]]:
    """From the reference to the reading: what is done, from where to where in the one, and in the other."""
    return Levenshtein.opcodes(expected, heard).as_list()  # type: ignore[return-value]


def edge_gap(expected: list[str], heard: list[str]) -> int:
    """How many characters longer one is, each word with a space behind it."""
    if not expected and not heard:
        return 0
    return abs(sum(map(len, expected)) + len(expected) - sum(map(len, heard)) - len(heard))

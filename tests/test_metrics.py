"""Differences between a reading and its reference."""

import random

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.text.metrics import character_error_rate, compare_texts, word_error_rate


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [
        ("a b c d", "a b c d", 0.0),
        ("a b c d", "a x c d", 0.25),
        ("a b c d", "a b d", 0.25),
        ("a b", "a x y b z", 1.5),
        ("a b", "", 1.0),
        ("", "a", None),
        ("", "", None),
        ("今天天气", "今天天氣", 0.25),
        ("今天 天气", "今天天气", 0.0),
    ],
)
def test_word_error_rate(reference, hypothesis, rate):
    assert word_error_rate(reference, hypothesis) == rate


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("a b c", "a b c", {"hits": 3, "wer": 0.0, "cer": 0.0, "wrong_run": 0}),
        ("a b c", "a x c", {"hits": 2, "substitutions": 1, "deletions": 0, "insertions": 0, "wrong_run": 1}),
        ("a b c", "", {"wer": 1.0, "cer": 1.0, "deletions": 3, "deleted_run": 3, "wrong_run": 3, "begin_gap": 6}),
        ("a b", "x a y z b", {"insertions": 3, "inserted_run": 2, "wrong_run": 2, "deleted_run": 0}),
        ("a b c d e f", "a x y f", {"substitutions": 2, "deletions": 2, "wrong_run": 4, "deleted_run": 2}),
        # as NeMo's Spanish recipes have it
        ("sí hola", "abcdefabcdef sí hola", {"begin_gap": 13, "end_gap": 0}),
        ("abcdefabcdef sí hola", "sí hola", {"begin_gap": 13, "end_gap": 0}),
        ("abcdefabcdef sí hola", "uvwxyzuvwxyz sí hola", {"begin_gap": 0, "end_gap": 0, "begin_cer": 1.0}),
        ("sí hola", "sí hola abcdefabcdef", {"begin_gap": 0, "end_gap": 13}),
        ("good morning to you all", "good morning to you al", {"begin_cer": 0.0, "end_cer": 0.2}),
        ("", "a", None),
    ],
)
def test_differences(reference, hypothesis, expected):
    found = compare_texts(reference, hypothesis)
    assert (found and {name: getattr(found, name) for name in expected}) == expected


def pairs(count: int) -> list[tuple[str, str]]:
    """References of up to twelve words, with a few of them lost, doubled and replaced; and some of other words."""
    pick = random.Random(7)
    words = ["a", "b", "bc", "cd", "cde", "d\u00e9j\u00e0", "it's", "zero", "\u0434\u0430", "x" * 12]
    found = []
    for _ in range(count):
        reference = pick.choices(words, k=pick.randint(1, 12))
        heard = [word for one in reference for word in pick.choices([[one], [], [one, one], ["y"]], [8, 1, 1, 1])[0]]
        other = pick.choices(words, k=pick.randint(0, 12))
        found.append((" ".join(reference), " ".join(pick.choice([heard, heard, other]))))
    return found


def test_a_hundred_thousand_pairs_are_counted_as_jiwer_counts_them():
    found = pairs(100_000)
    said = jiwer.process_words([r for r, _ in found], [h for _, h in found])
    for (reference, hypothesis), chunks in zip(found, said.alignments, strict=True):
        counts = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
        for chunk in chunks:
            counts[chunk.type] += max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
        ours = compare_texts(reference, hypothesis)
        assert [ours.hits, ours.substitutions, ours.deletions, ours.insertions] == list(counts.values())
        wrong = counts["substitute"] + counts["delete"] + counts["insert"]
        assert ours.wer == word_error_rate(reference, hypothesis) == wrong / len(reference.split())


def test_characters_are_counted_as_jiwer_counts_them():
    for reference, hypothesis in pairs(2_000):
        assert character_error_rate(reference, hypothesis) == pytest.approx(jiwer.cer(reference, hypothesis))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_counts_add_up(reference, hypothesis):
    found = compare_texts(" ".join(reference), " ".join(hypothesis))
    assert found.hits + found.substitutions + found.deletions == len(reference)
    assert found.hits + found.substitutions + found.insertions == len(hypothesis)
    assert max(found.deleted_run, found.inserted_run) <= found.wrong_run <= max(len(reference), len(hypothesis))
    assert (found.wrong_run == 0) == (found.wer == 0) == (reference == hypothesis)

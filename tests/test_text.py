import random

import jiwer
import pytest

from tasks.text import normalize, word_error_rate


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("Good Morning, Sir!", "good morning sir"),
        ("at six o'clock", "at six o'clock"),
        ("at six o\u2019clock", "at six o'clock"),
        ("'quoted' words", "quoted words"),
        ("twenty-one", "twenty one"),
        ("a_b\tc\u00a0d\u200be", "a b c de"),
        ("ﬁve Straße", "five strasse"),
        ("cafe\u0301", "café"),
        ("हिन्दी में", "हिन्दी में"),
        ("?!", ""),
    ],
)
def test_basic_folds_form_case_and_punctuation(text, normalized):
    assert normalize(text, "basic") == normalized


def test_none_folds_white_space_only():
    assert normalize("  Good\tMorning, Sir! ", "none") == "Good Morning, Sir!"


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
    ],
)
def test_word_error_rate(reference, hypothesis, rate):
    assert word_error_rate(reference, hypothesis) == rate


def test_word_error_rate_is_jiwers():
    pick = random.Random(7)
    pairs = [[" ".join(pick.choices("abcdef", k=pick.randint(1, 12))) for _ in range(2)] for _ in range(2_000)]
    assert [word_error_rate(*pair) for pair in pairs] == pytest.approx([jiwer.wer(*pair) for pair in pairs])

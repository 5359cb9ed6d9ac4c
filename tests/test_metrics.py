"""Errors of a hypothesis against its reference, and the columns that hold them."""

import os
import random

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.score import score
from tests.conftest import shard_table
from winnow.schema import SCORES, UTTERANCE, after_score, after_transcribe
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
def test_error_measures(reference, hypothesis, expected):
    measures = compare_texts(reference, hypothesis)
    assert (measures and {name: getattr(measures, name) for name in expected}) == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        (
            "今天 天气 很 好",
            "今天天气很好",
            {"wer": 0, "cer": 0, "begin_cer": 0, "end_cer": 0, "begin_gap": 0, "end_gap": 0},
        ),
        (
            "今天天气很好",
            "今 天 天 气 很 坏",
            {"wer": 1 / 6, "cer": 1 / 6, "begin_cer": 1 / 6, "end_cer": 1 / 6, "end_gap": 0},
        ),
        ("อยาก กิน ข้าว", "อยากกินข้าว", {"cer": 0, "end_cer": 0}),
        ("ສະບາຍ ດີ", "ສະບາຍດີ", {"cer": 0}),
        ("សួស្តី អ្នក", "សួស្តីអ្នក", {"cer": 0}),
        ("မင်္ဂလာ ပါ", "မင်္ဂလာပါ", {"cer": 0}),
        ("བཀྲ ཤིས", "བཀྲཤིས", {"cer": 0}),
        ("か\u3099 き", "か\u3099き", {"cer": 0}),
        ("我 用 python 写 代码", "我用python写代码", {"wer": 0, "cer": 0}),
        ("用 good code", "用goodcode", {"cer": 1 / 10}),
        ("早 今天天气", "今天天气", {"begin_gap": 1, "end_gap": 0}),
        ("a 今天", "今天", {"begin_gap": 2}),
        ("커피 마실래", "커피마실래", {"cer": 1 / 6}),
    ],
)
def test_spaces_beside_characters_of_scripts_without_spaces_are_no_characters(reference, hypothesis, expected):
    measures = compare_texts(reference, hypothesis)
    assert {name: getattr(measures, name) for name in expected} == pytest.approx(expected)
    assert character_error_rate(reference, hypothesis) == measures.cer


PAIRS = int(os.environ.get("WINNOW_PAIRS", "20000"))


def pairs(count: int) -> list[tuple[str, str]]:
    """Return references of up to twelve words, and hypotheses with lost, doubled, replaced or unrelated words."""
    pick = random.Random(7)
    words = ["a", "b", "bc", "cd", "cde", "d\u00e9j\u00e0", "it's", "zero", "\u0434\u0430", "x" * 12]
    text_pairs = []
    for _ in range(count):
        reference = pick.choices(words, k=pick.randint(1, 12))
        hypothesis = [
            word for token in reference for word in pick.choices([[token], [], [token, token], ["y"]], [8, 1, 1, 1])[0]
        ]
        other = pick.choices(words, k=pick.randint(0, 12))
        text_pairs.append((" ".join(reference), " ".join(pick.choice([hypothesis, hypothesis, other]))))
    return text_pairs


def test_word_errors_of_many_pairs_equal_jiwers():
    text_pairs = pairs(PAIRS)
    reference_result = jiwer.process_words([r for r, _ in text_pairs], [h for _, h in text_pairs])
    for (reference, hypothesis), chunks in zip(text_pairs, reference_result.alignments, strict=True):
        counts = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
        for chunk in chunks:
            counts[chunk.type] += max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
        ours = compare_texts(reference, hypothesis)
        assert [ours.hits, ours.substitutions, ours.deletions, ours.insertions] == list(counts.values())
        wrong = counts["substitute"] + counts["delete"] + counts["insert"]
        assert ours.wer == word_error_rate(reference, hypothesis) == wrong / len(reference.split())


def test_character_error_rate_equals_jiwers():
    for reference, hypothesis in pairs(2_000):
        assert character_error_rate(reference, hypothesis) == pytest.approx(jiwer.cer(reference, hypothesis))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_counts_add_up(reference, hypothesis):
    measures = compare_texts(" ".join(reference), " ".join(hypothesis))
    assert measures.hits + measures.substitutions + measures.deletions == len(reference)
    assert measures.hits + measures.substitutions + measures.insertions == len(hypothesis)
    assert (
        max(measures.deleted_run, measures.inserted_run) <= measures.wrong_run <= max(len(reference), len(hypothesis))
    )
    assert (measures.wrong_run == 0) == (measures.wer == 0) == (reference == hypothesis)


REFERENCE = "The quick brown fox jumps over a lazy dog and then it sleeps all day long in warm."
HYPOTHESIS = "well um um the quick brown over a lazy dog and then um it yes"
ERRORS = {
    "wer": 12 / 18,
    "cer": jiwer.cer(REFERENCE.lower().strip("."), HYPOTHESIS),
    "hits": 10,
    "substitutions": 1,
    "deletions": 7,  # fox jumps; all but one word of "sleeps all day long in warm"
    "insertions": 4,  # well um um; um
    "begin_cer": 9 / 10,  # "the quick " and "well um um": one space in common
    "end_cer": 8 / 10,  # "ng in warm" and " um it yes": two in common
    "begin_gap": len("well um um "),
    "end_gap": len("sleeps all day long in warm ") - len("yes "),
    "wrong_run": 6,
    "deleted_run": 5,
    "inserted_run": 3,
    "exact_wer": 13 / 18,  # The is not the
}


def test_each_score_is_in_the_column_of_its_name():
    assert len(set(ERRORS.values())) == len(ERRORS)  # so that no two can be swapped unseen
    transcribed = after_transcribe(UTTERANCE, "small")
    columns = {"text": [REFERENCE, "a", "?"], "small_pred_text": [HYPOTHESIS, None, "a"]}
    scored = score(shard_table(transcribed, **columns), "small", "basic")
    assert scored.schema == after_score(transcribed, "small")
    rows = scored.select([f"small_{name}" for name in SCORES]).to_pylist()
    assert rows == [
        {f"small_{name}": pytest.approx(value) for name, value in ERRORS.items()},
        {f"small_{name}": None for name in ERRORS},
        {f"small_{name}": None for name in ERRORS},
    ]
    assert scored["reason"].to_pylist() == [None, None, "EMPTY_REFERENCE"]


def test_score_compares_normalized_texts_and_quarantines_empty_references():
    table = shard_table(
        after_transcribe(UTTERANCE, "small"),
        text=["Good morning, Sir.", "good morning", "good morning", "?!"],
        small_pred_text=["good morning sir", "", None, "hello"],
        reason=[None, None, "AUDIO_MISSING", None],
    )
    scored = score(table, role="small", comparison="basic")
    assert scored["small_wer"].to_pylist() == [0.0, 1.0, None, None]
    assert scored["small_exact_wer"].to_pylist() == [1.0, 1.0, None, None]
    assert scored["reason"].to_pylist() == [None, None, "AUDIO_MISSING", "EMPTY_REFERENCE"]

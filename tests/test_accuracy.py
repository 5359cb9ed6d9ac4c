"""WER and CER over a corpus, and their confidence intervals."""

import jiwer
import pytest

from winnow.benchmarking.accuracy import ErrorRate, measure_accuracy

TEXTS = [
    ("good morning to you", "good morning to you"),
    ("platform nine for moscow", "platform mine for moscow"),
    ("close the door", "close door please"),
    ("one two three", ""),
]


def test_rates_over_the_corpus_equal_jiwers():
    accuracy = measure_accuracy(TEXTS, "none")
    references, hypotheses = map(list, zip(*TEXTS, strict=True))
    assert accuracy.wer.rate == pytest.approx(jiwer.wer(references, hypotheses))
    assert accuracy.cer.rate == pytest.approx(jiwer.cer(references, hypotheses))
    assert (accuracy.utterances, accuracy.words) == (4, 14)


def test_in_a_script_without_spaces_each_character_is_a_word():
    accuracy = measure_accuracy([("今日は", "今日わ")], "basic")
    assert (accuracy.words, accuracy.wer.rate) == (3, pytest.approx(1 / 3))


def test_interval_contains_its_rate_narrows_with_more_utterances_and_is_reproducible():
    few, many = measure_accuracy(TEXTS, "basic"), measure_accuracy(TEXTS * 100, "basic")
    for error_rate in (few.wer, few.cer, many.wer, many.cer):
        assert error_rate.low < error_rate.rate < error_rate.high
    assert many.cer.high - many.cer.low < (few.cer.high - few.cer.low) / 5
    assert measure_accuracy(TEXTS, "basic") == few


def test_95_percent_interval_covers_the_true_rate_95_times_in_100():
    import numpy as np

    generator = np.random.default_rng(1)
    true_rate, covered = 0.1, 0
    for _ in range(100):
        errors = generator.binomial(10, true_rate, 60)
        texts = [(" ".join("abcdefghij"), " ".join("abcdefghij"[n:])) for n in errors]
        interval = measure_accuracy(texts, "none").wer
        covered += interval.low <= true_rate <= interval.high
    assert 88 <= covered <= 100


def test_normalized_differences_and_references_without_words_do_not_count():
    assert measure_accuracy([("Hello, there!", "hello there"), ("!", "noise")], "basic").wer.rate == 0.0
    assert measure_accuracy([("!", "noise")], "basic").wer == ErrorRate(rate=None, low=None, high=None)
    assert measure_accuracy([], "basic").cer == ErrorRate(rate=None, low=None, high=None)

"""WER and CER over a corpus, and how sure they are."""

import jiwer
import pytest

from winnow.benchmarking.accuracy import Rate, measure_accuracy

TEXTS = [
    ("good morning to you", "good morning to you"),
    ("platform nine for moscow", "platform mine for moscow"),
    ("close the door", "close door please"),
    ("one two three", ""),
]


def test_rates_are_those_of_the_whole_corpus_as_jiwer_counts_them():
    found = measure_accuracy(TEXTS, "none")
    references, hypotheses = map(list, zip(*TEXTS, strict=True))
    assert found.wer.rate == pytest.approx(jiwer.wer(references, hypotheses))
    assert found.cer.rate == pytest.approx(jiwer.cer(references, hypotheses))
    assert (found.utterances, found.words) == (4, 14)


def test_of_a_script_without_spaces_each_character_is_a_word():
    found = measure_accuracy([("今日は", "今日わ")], "basic")
    assert (found.words, found.wer.rate) == (3, pytest.approx(1 / 3))


def test_an_interval_holds_its_rate_narrows_with_the_corpus_and_is_the_same_every_time():
    few, many = measure_accuracy(TEXTS, "basic"), measure_accuracy(TEXTS * 100, "basic")
    for one in (few.wer, few.cer, many.wer, many.cer):
        assert one.low < one.rate < one.high
    assert many.cer.high - many.cer.low < (few.cer.high - few.cer.low) / 5
    assert measure_accuracy(TEXTS, "basic") == few


def test_an_interval_covers_the_truth_as_often_as_it_says():
    import numpy as np

    draw = np.random.default_rng(1)
    truth, covered = 0.1, 0
    for _ in range(100):
        errors = draw.binomial(10, truth, 150)
        texts = [(" ".join("abcdefghij"), " ".join("abcdefghij"[n:])) for n in errors]
        interval = measure_accuracy(texts, "none").wer
        covered += interval.low <= truth <= interval.high
    assert 88 <= covered <= 100


def test_what_the_normalizer_does_not_count_is_no_error_and_a_reference_without_words_counts_nothing():
    assert measure_accuracy([("Hello, there!", "hello there"), ("!", "noise")], "basic").wer.rate == 0.0
    assert measure_accuracy([("!", "noise")], "basic").wer == Rate(rate=None, low=None, high=None)
    assert measure_accuracy([], "basic").cer == Rate(rate=None, low=None, high=None)

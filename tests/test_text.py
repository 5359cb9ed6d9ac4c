"""Normalizing texts and splitting them into words."""

from typing import get_args

import pytest

from winnow.text.alphabets import ALPHABETS
from winnow.text.comparison import Comparison
from winnow.text.equalities import CHOICES
from winnow.text.metrics import METRICS, all_scores, word_error_rate
from winnow.text.normalize import Normalizer, normalize, version_of
from winnow.text.respell import equal_texts, normalize_pair
from winnow.text.spelled_like import differences
from winnow.text.words import split_words


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
def test_basic_normalizes_form_case_and_punctuation(text, normalized):
    assert normalize(text, "basic") == normalized


def test_none_normalizes_white_space_only():
    assert normalize("  Good\tMorning, Sir! ", "none") == "Good Morning, Sir!"


@pytest.mark.parametrize(
    ("normalizer", "text", "normalized"),
    [
        ("whisper-english", "Mr. Park's colour: twenty-one dollars!", "mister park is color $21"),
        ("whisper", "Die Straße [Lachen] (leise) Nr. 5", "die straße nr 5"),
        ("letters-es", "¿Qué tal, señor 5? тест", "qué tal señor"),
        ("letters-de", "Größe 5: Straße", "grösse strasse"),
        ("letters-it", "L'amico 'vero' è qui", "l'amico vero è qui"),
        ("letters-ka", "კატამ cat თაგვი", "კატამ თაგვი"),
        ("letters-en", "naïve café", "na ve caf"),
    ],
)
def test_normalizers_of_single_languages_and_of_whisper(normalizer, text, normalized):
    assert normalize(text, normalizer) == normalized


def test_every_alphabet_is_a_normalizer_and_every_normalizer_has_a_version():
    letters = {f"letters-{language}" for language in ALPHABETS}
    assert set(get_args(Normalizer)) == letters | {"basic", "none", "whisper", "whisper-english"}
    assert all(version_of(normalizer) for normalizer in get_args(Normalizer))


EQUAL = [(choice, pair) for choice in CHOICES for pair in choice.equal]
DIFFERENT = [(choice, pair) for choice in CHOICES for pair in choice.different]


@pytest.mark.parametrize(("choice", "pair"), EQUAL, ids=str)
def test_what_no_reader_would_call_an_error_is_none(choice, pair):
    language = next(iter(choice.languages), None)
    for reference, hypothesis in (pair, pair[::-1]):
        assert equal_texts(reference, hypothesis, "basic", language)
        assert all_scores(reference, hypothesis, "basic", language) == {
            "hits": len(split_words(normalize(reference, "basic", language))),
            "exact_wer": word_error_rate(reference, hypothesis),
            **{name: 0 for name in METRICS if name not in ("hits", "exact_wer")},
        }


@pytest.mark.parametrize(("choice", "pair"), DIFFERENT, ids=str)
def test_different_words_stay_different(choice, pair):
    language = next(iter(choice.languages), None)
    for reference, hypothesis in (pair, pair[::-1]):
        assert not equal_texts(reference, hypothesis, "basic", language)
        assert all_scores(reference, hypothesis, "basic", language)["wer"] > 0


@pytest.mark.parametrize(
    ("reference", "hypothesis", "respelled"),
    [
        ("we ate 25 apples", "we ate twenty five apples or so", "we ate 25 apples or so"),
        ("twenty five of 25", "25 of twenty five", "twenty five of 25"),
        ("the e-mail is new", "an email is new", "an e mail is new"),
        ("5 and 6", "five and seven", "5 and seven"),
        ("five", "5 %", "five"),
        ("커피마실래 지금", "커피 마실래요 지금", "커피마실래요 지금"),
    ],
)
def test_hypothesis_is_respelled_like_its_reference_and_keeps_its_other_errors(reference, hypothesis, respelled):
    assert normalize_pair(reference, hypothesis, "basic", "en") == (normalize(reference, "basic"), respelled)


def test_respelling_concerns_neither_whispers_normalizers_nor_none():
    assert normalize_pair("my e-mail", "my email", "none") == ("my e-mail", "my email")
    assert normalize_pair("my e-mail", "my email", "whisper") == ("my e mail", "my email")
    assert normalize_pair("my e-mail", "my email", "letters-en") == ("my e mail", "my e mail")


def test_letters_of_a_language_are_those_that_basic_writes():
    for language, letters in ALPHABETS.items():
        for word in (f"{letters[1]}{letter}{letters[1]}" for letter in letters):
            assert normalize(word.upper(), f"letters-{language}") == normalize(word, "basic", language)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" good  morning ", ["good", "morning"]),
        ("", []),
        ("今日は good 天气", ["今", "日", "は", "good", "天", "气"]),
        ("我说hello吧", ["我", "说", "hello", "吧"]),
        ("안녕 세상", ["안녕", "세상"]),
        ("one\x1ctwo", ["one", "two"]),
        ("one\x1ctwo 天\x1f气", ["one", "two", "天", "气"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("ស្រី", ["ស្", "រី"]),
    ],
)
def test_each_character_of_a_script_without_spaces_is_a_word(text, words):
    assert split_words(text) == words


COMPOUNDS = Comparison("basic", merge_compounds=True)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "respelled"),
    [
        ("home page", "homepage", "home page"),
        ("homepage", "Home page.", "homepage"),
        ("my home page is", "mi homepage as", "mi home page as"),
        ("none the less", "nonetheless", "none the less"),
        ("any way anyway", "anyway any way", "any way anyway"),
        ("home page", "homepages", "homepages"),
        ("homepage", "page home", "page home"),
        ("25", "2 5", "2 5"),
        ("今天", "今 天", "今 天"),
    ],
)
def test_compounds_are_joined_and_split_like_the_reference_where_asked(reference, hypothesis, respelled):
    assert split_words(normalize_pair(reference, hypothesis, COMPOUNDS)[1]) == split_words(respelled)
    equal = all_scores(reference, hypothesis, COMPOUNDS)["wer"] == 0
    assert equal == equal_texts(hypothesis, reference, COMPOUNDS)
    assert equal == all(part.text is None for part in differences(hypothesis, reference, COMPOUNDS))


@pytest.mark.parametrize("normalizer", ["basic", "none", "whisper", "whisper-english", "letters-en"])
def test_compounds_are_equal_by_every_normalizer_only_where_asked(normalizer):
    assert equal_texts("a homepage", "a home page", Comparison(normalizer, merge_compounds=True))
    assert not equal_texts("a homepage", "a home page", normalizer)

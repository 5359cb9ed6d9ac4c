"""Normalizing texts and splitting them into words."""

from typing import get_args

import pytest

from winnow.text.alphabets import ALPHABETS
from winnow.text.normalize import Normalizer, normalize, split_words, version_of


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" good  morning ", ["good", "morning"]),
        ("", []),
        ("今日は good 天气", ["今", "日", "は", "good", "天", "气"]),
        ("我说hello吧", ["我", "说", "hello", "吧"]),
        ("안녕 세상", ["안녕", "세상"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("ស្រី", ["ស្", "រី"]),
    ],
)
def test_each_character_of_a_script_without_spaces_is_a_word(text, words):
    assert split_words(text) == words

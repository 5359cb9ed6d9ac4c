"""Writing a text like a reading of the same speech, and words as a model would."""

import random
import string

import pytest

from winnow.text.equalities import CHOICES
from winnow.text.metrics import all_scores
from winnow.text.respell import equal_texts
from winnow.text.spelled_like import Part, differences, join_parts
from winnow.text.words import split_words
from winnow.text.writing_style import WritingStyle, candidate_spellings


@pytest.mark.parametrize(
    ("reading", "text", "language", "parts"),
    [
        ("hello world", "Hello, world!", None, [("hello world", None)]),
        ("a day", "a night", None, [("a", None), ("day", "night")]),
        ("a c", "a b c", None, [("a", None), ("", "b"), ("c", None)]),
        ("a b", "a b c", None, [("a b", None), ("", "c")]),
        ("b c", "a b c", None, [("", "a"), ("b c", None)]),
        ("a b c", "a c", None, [("a", None), ("b", ""), ("c", None)]),
        ("", "Hello there", None, [("", "Hello there")]),
        ("hello there", "", None, [("hello there", "")]),
        ("x", "[noise]", None, [("x", "")]),
        ("", "", None, []),
        ("-", "Hi!", None, [("-", "Hi!")]),
        ("twenty five apples a day", "25 apples a night", "en", [("twenty five apples a", None), ("day", "night")]),
        ("it costs five dollars now", "It costs $6 now.", "en", [
            ("it costs", None), ("five dollars", "$6"), ("now", None)]),
        ("a thousand men came", "1 000 men went", "en", [("a thousand men", None), ("came", "went")]),
        ("an email came", "an e-mail went", None, [("an email", None), ("came", "went")]),
        ("an email came", "an e - mail came", None, [("an", None), ("email", "e mail"), ("came", None)]),
        ("he said goodbye", "He said — hello.", None, [("he said", None), ("goodbye", "hello.")]),
        ("he said – goodbye", "he said hello", None, [("he said –", None), ("goodbye", "hello")]),
        ("rock and roll now", "rocks & roll now", "en", [("rock and", "rocks &"), ("roll now", None)]),
        ("twenty one and two", "twenty-two and two", None, [("twenty one", "twenty-two"), ("and two", None)]),
        ("twenty-one and two", "twenty two and two", None, [("twenty-one", "twenty two"), ("and two", None)]),
        ("yes no", "[upbeat music] Yes <unk> now", None, [("yes", None), ("no", "now")]),
        ("今天天气很好", "今天 天氣 很好", None, [("今天天", None), ("气", "氣"), ("很好", None)]),
        ("我用python写", "我用 java 写", None, [("我用", None), ("python", "java"), ("写", None)]),
        ("ราคาเท่าไร", "ราคาเท่าใด", None, [("ราคาเท่า", None), ("ไร", "ใด")]),
        ("커피마실래 지금", "커피 마실래 다음", None, [("커피마실래", None), ("지금", "다음")]),
    ],
)  # fmt: skip
def test_parts_are_where_a_text_has_other_words_than_the_reading(reading, text, language, parts):
    assert [(part.reading, part.text) for part in differences(reading, text, "basic", language)] == parts


@pytest.mark.parametrize(
    ("reading", "text", "written"),
    [
        ("twenty five apples a day", "25 Apples, a NIGHT!", "twenty five apples a NIGHT!"),
        ("今天 天气 很好", "今天天氣很好", "今天 天氣很好"),
        ("我 用 python 写", "我用python画", "我 用 python画"),
        ("yes", "", ""),
    ],
)
def test_text_is_written_like_the_reading_but_for_its_own_words(reading, text, written):
    assert join_parts(differences(reading, text, "basic", "en")) == written


def test_parts_can_be_written_one_by_one():
    parts = differences("a b c d", "a x c y", "basic")
    assert join_parts(parts, [part.reading for part in parts]) == "a b c d"
    assert join_parts(parts, ["a", "x", "c", "d"]) == "a x c d"
    assert join_parts(parts, ["a", "", "c", "d"]) == "a c d"
    assert parts[1] == Part("b", "x")


def test_parts_agree_with_the_word_error_rate_and_have_the_words_of_both_texts():
    choose = random.Random(0)
    examples = [text for choice in CHOICES for pair in (*choice.equal, *choice.different) for text in pair]
    for _ in range(1_000):
        words = " ".join(choose.choices(examples, k=3)).split(" ")
        other = [*words]
        at = choose.randrange(len(words))
        other[at : at + choose.randrange(3)] = choose.choice(examples).split(" ")[:2]
        language, reading, text = choose.choice([None, "en", "de", "tr"]), " ".join(words), " ".join(other)
        parts = differences(reading, text, "basic", language)
        scores = all_scores(text, reading, "basic", language)
        same = len(parts) <= 1 and all(part.text is None for part in parts)
        assert same == (scores["wer"] == 0 if scores else not parts), (reading, text)
        assert equal_texts(text, join_parts(parts), "basic", language), (reading, text)
        whole = join_parts(parts, [part.reading for part in parts])
        assert split_words(whole) == split_words(reading) == split_words(" ".join(part.reading for part in parts))


SMALL = frozenset(string.ascii_lowercase)
STYLES = {
    "small letters": WritingStyle(False, False, frozenset("'"), SMALL),
    "capitals": WritingStyle(True, False, frozenset(), frozenset(string.ascii_uppercase)),
    "digits": WritingStyle(False, True, frozenset(), SMALL),
    "everything": WritingStyle(True, True, frozenset(".,?!'-$%"), SMALL | set(string.ascii_uppercase)),
    "German": WritingStyle(False, False, frozenset(), SMALL | set("äöüß")),
    "Russian": WritingStyle(False, False, frozenset(), frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюя")),
    "Turkish": WritingStyle(False, False, frozenset(), frozenset("abcçdefgğhıijklmnoöprsştuüvyz")),
    "Turkish capitals": WritingStyle(True, False, frozenset(), frozenset("ABCÇDEFGĞHIİJKLMNOÖPRSŞTUÜVYZ")),
    "marks apart": WritingStyle(False, False, frozenset(), SMALL | {"\u0301"}),
    "Persian": WritingStyle(False, True, frozenset(), frozenset("یاکتب")),
}


@pytest.mark.parametrize(
    ("words", "language", "style", "spellings"),
    [
        ("Hello, World!", None, "small letters", ["hello world"]),
        ("Hello, World!", None, "capitals", ["HELLO WORLD"]),
        ("Hello, World!", None, "everything", ["Hello, World!", "Hello World", "hello world", "Hello world"]),
        ("HELLO", None, "everything", ["HELLO", "hello", "Hello"]),
        ("john", None, "everything", ["john", "John"]),
        ("don’t", None, "small letters", ["don't"]),
        ("don’t", None, "capitals", ["DONT"]),
        ("25 apples", "en", "small letters", ["twenty five apples"]),
        ("25 apples", "en", "digits", ["25 apples", "twenty five apples"]),
        ("25 apples", None, "small letters", ["25 apples"]),
        ("1,000", "en", "digits", ["1000", "one thousand"]),
        ("3.5", "en", "digits", ["three point five"]),
        ("007", "en", "small letters", ["zero zero seven", "seven"]),
        ("the 1st", "en", "small letters", ["the first"]),
        ("$5 million", "en", "small letters", ["five million dollars"]),
        ("$5 last", "en", "digits", ["5 dollars last", "five dollars last"]),
        ("5 %", "en", "capitals", ["FIVE PERCENT"]),
        ("$5.50", "en", "small letters", ["five dollars and fifty cents", "five dollars fifty", "five fifty"]),
        ("$5.50", "en", "digits", ["five dollars and fifty cents"]),
        ("¾ cup", "en", "digits", ["three quarters cup"]),
        ("in the 1990s", "en", "digits", ["in the 1990s", "in the nineteen nineties"]),
        ("1,000 km away", "en", "digits", ["1000 km away", "one thousand kilometers away"]),
        ("1 000 km", "en", "digits", ["1 000 km", "one thousand kilometers"]),
        ("-5 km and $5.50 million", "en", "capitals", ["MINUS FIVE KM AND FIVE POINT FIVE ZERO MILLION DOLLARS"]),
        ("rock & roll", "en", "small letters", ["rock and roll"]),
        ("U.S. e-mail", "en", "small letters", ["us e mail", "u s email"]),
        ("well—so…", None, "small letters", ["well so"]),
        ("naïve Straße", None, "small letters", ["naive strasse"]),
        ("Straße", "de", "German", ["straße"]),
        ("am 1. Mai", "de", "German", ["am erste mai", "am eins mai", "am ersten mai", "am einen mai"]),
        ("Ещё 1", "ru", "Russian", ["еще один", "еще одно", "еще одни", "еще одна"]),
        ("IRAK İzmir", "tr", "Turkish", ["ırak izmir"]),
        ("ırak izmir", "tr", "Turkish capitals", ["IRAK İZMİR"]),
        ("café", None, "marks apart", ["cafe\u0301"]),
        ("كتابي", "ar", "Persian", ["کتابی"]),
        ("٣", None, "Persian", ["3"]),
        ("привет", None, "small letters", ["привет"]),
        ("–", None, "small letters", [""]),
    ],
)
def test_spellings_are_what_a_model_of_a_style_would_write(words, language, style, spellings):
    assert candidate_spellings(words, language, STYLES[style]) == spellings

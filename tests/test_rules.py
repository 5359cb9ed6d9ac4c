"""How rules are written, what limits they set, and how invalid ones are refused."""

import re
import time
from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.errors import RuleError
from winnow.parameters.filter import Filter
from winnow.rules.presets import FILTERS
from winnow.rules.rule import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cer <= 0.3", ["CER_ABOVE_MAX: cer <= 0.3"]),
        ("cer<.3", ["CER_ABOVE_MAX: cer < 0.3"]),
        ("small_wer le 5e-1", ["SMALL_WER_ABOVE_MAX: small_wer <= 0.5"]),
        ("duration gt 1", ["DURATION_BELOW_MIN: duration > 1"]),
        ("duration in 1..20.5", ["DURATION_BELOW_MIN: duration >= 1", "DURATION_ABOVE_MAX: duration <= 20.5"]),
        ("LENGTH: duration in 1..20", ["LENGTH: duration in 1..20"]),
        ('lang == "en"', ['LANG_DIFFERS: lang == "en"']),
        ("lang = text_lang", ["LANG_DIFFERS: lang == text_lang"]),
        ('lang != "en"', ['LANG_EXCLUDED: lang != "en"']),
        ("lang in en, de", ['LANG_NOT_LISTED: lang in "en", "de"']),
        ("speaker in [theo, jackson]", ['SPEAKER_NOT_LISTED: speaker in "theo", "jackson"']),
        ("speaker in ['theo', \"o'brien\",]", ['SPEAKER_NOT_LISTED: speaker in "theo", "o\'brien"']),
        ("speaker IN ('theo','the, \"old\" one')", ['SPEAKER_NOT_LISTED: speaker in "theo", \'the, "old" one\'']),
        ("speaker in{theo}", ['SPEAKER_NOT_LISTED: speaker in "theo"']),
        ("lang in “en”, „de“", ['LANG_NOT_LISTED: lang in "en", "de"']),
        ("lang not in [en, de-AT]", ['LANG_EXCLUDED: lang not in "en", "de-AT"']),
        ("duration not  in (1..20)", ["DURATION_EXCLUDED: duration not in 1..20"]),
        ("duration in [1 .. 20]", ["DURATION_BELOW_MIN: duration >= 1", "DURATION_ABOVE_MAX: duration <= 20"]),
        ("cer ≤ 0.3", ["CER_ABOVE_MAX: cer <= 0.3"]),
        ("lang <> 'en'", ['LANG_EXCLUDED: lang != "en"']),
        ("margin >= 1", ["MARGIN_BELOW_MIN: margin >= 1"]),
        ("narrowband == False", ["NARROWBAND: narrowband == false"]),
        ("narrowband == false", ["NARROWBAND: narrowband == false"]),
        ("narrowband ne true", ["NARROWBAND: narrowband != true"]),
        ("verified == true", ["NOT_VERIFIED: verified == true"]),
        ("level != -20", ["LEVEL_EXCLUDED: level != -20"]),
        ("longest_word(text) < 25", ["LONGEST_WORD_ABOVE_MAX: longest_word(text) < 25"]),
        ("longest_word(pred_text)<25", ["PRED_LONGEST_WORD_ABOVE_MAX: longest_word(pred_text) < 25"]),
        ("ngram_copies(text, 15) <= 5", ['NGRAM_COPIES_ABOVE_MAX: ngram_copies(text, "15") <= 5']),
        ('charset(text, "abc ,.?") >= 1', ['CHARSET_BELOW_MIN: charset(text, "abc ,.?") >= 1']),
        ("NOISY: dnsmos >= 3", ["NOISY: dnsmos >= 3"]),
    ],
)
def test_rule_is_parsed_and_written_back(text, expected):
    rules = parse(text)
    assert [str(rule) for rule in rules] == expected
    assert [parse(str(rule)) for rule in rules] == [[rule] for rule in rules]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cer", "invalid rule 'cer': expected COLUMN OPERATOR VALUE, e.g. cer <= 0.3"),
        (
            "cer => 0.3",
            "'cer => 0.3': expected a number, a column, true, false or a text in double quotes, got '> 0.3'",
        ),
        (
            "cer <=",
            "invalid rule 'cer <=': expected a number, a column, true, false or a text in double quotes, got ''",
        ),
        ("cer <= 0.3 or 1", "text in double quotes, got '0.3 or 1'"),
        ('lang < "en"', '< needs a number, got "en"'),
        ("narrowband >= true", ">= needs a number, got true"),
        ("duration in 20..1", "expected a range, lower number first (1..20)"),
        ("duration in 1..", "expected a range, lower number first (1..20)"),
        ("lang in en,", "a list of texts"),
        ("longest word < 25", "expected COLUMN OPERATOR VALUE"),
        ("", "expected COLUMN OPERATOR VALUE"),
        ("margin 5", "expected COLUMN OPERATOR VALUE"),
        ("noisy: snr >= 3", "a name has only capital letters, digits and _"),
        ("cer <= 1e999", "expected a finite number in digits, got 1e999"),
        ("cer <= inf", "expected a finite number in digits, got inf"),
        ("cer != nan", "expected a finite number in digits, got nan"),
        ("duration in 1..1e999", "expected a finite number in digits, got 1e999"),
        ("duration <= 1_000", "expected a finite number in digits, got 1_000"),
        ("duration <= 1,000", "expected a number"),
        ("cer <= ²", "expected a number, a column, true, false or a text in double quotes, got '²'"),
        ("duration >= 1s", "expected a number, a column, true, false or a text in double quotes, got '1s'"),
        ("cer <= 0x1", "got '0x1'"),
        ("lang == `en`", "got '`en`'"),
        ("cer <= 30%", "a percentage is written as a fraction: 0.3"),
        ("0.3 >= cer", "write the column on the left"),
        ("cer <= 0.3 and wer <= 0.2", "write each condition as a rule of its own"),
        ("lang == [en]", "a list needs the operator in"),
        ("lang != null", "an unknown value cannot be compared"),
        ("lang not in [null, en]", "an unknown value cannot be compared"),
        ("lang in None", "an unknown value cannot be compared"),
        ("lang == 'en", "expected a number, a column"),
        ("speaker in [theo, jackson", "unbalanced brackets: [ without ] at the end"),
        ("speaker in theo, jackson]", "unbalanced brackets: ] without an opening one"),
        ("speaker in (theo, jackson]", "unbalanced brackets: ( without ) at the end"),
        ("speaker in [[theo], jackson]", "put a text in double quotes"),
        ("speaker in []", "the list is empty"),
        ("speaker in", "expected COLUMN OPERATOR VALUE"),
        ("speaker in theo;jackson", "put a text in double quotes: ;jackson"),
        ("speaker in theo jackson", "put a text in double quotes: jackson"),
        ("speaker in 'theo, jackson", "put a text in double quotes: 'theo, jackson"),
        ("lang in en or de", "put a text in double quotes: or de"),
        ("charset(text, eng) >= 1", "unknown language eng: expected de, en"),
    ],
)
def test_invalid_rule_is_refused_with_what_was_expected(text, complaint):
    with pytest.raises(RuleError) as raised:
        parse(text)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    "shape", ["{}", "{}x", "cer{}x", "A{}x", "A:{}", "cer <={}a{}b", "cer in{}[{}", "a({}b{}", "a not{}x", "a,{}in"]
)
def test_much_white_space_in_a_rule_takes_little_time(shape):
    """A few milliseconds; white space that is given back took minutes."""
    start = time.process_time()
    with pytest.raises(RuleError):
        parse(shape.replace("{}", " " * 50_000))
    assert time.process_time() - start < 1


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
TERMS = st.sampled_from(["cer", "lang", "words(text)", 'charset(text, "a b")', "ngram_copies(text, 3)", "größe", "2nd"])
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["true", "False", "lang", "1e999", "nan", "-.5e-3", "²", "25 %"]),
    TEXTS.map("'{}'".format),
    TEXTS.map('"{}"'.format),
    TEXTS.map("“{}”".format),
    TEXTS,
)
LISTS = st.tuples(
    st.lists(VALUES, max_size=3).map(", ".join), st.sampled_from(["{}", "[{}]", "({})", "[{},]", "({}]", "{}]"])
).map(lambda parts: parts[1].format(parts[0]))
OPERATORS = st.sampled_from(["<", "<=", "==", "!=", "=", "≤", "<>", "ge", "GT", "in", "not in", "NOT  IN"])


@given(
    TERMS, OPERATORS, st.one_of(VALUES, LISTS, st.tuples(VALUES, VALUES).map("..".join)), st.sampled_from(["", "X: "])
)
def test_accepted_rule_is_written_as_the_same_rule_without_infinities(term, operator, value, name):
    try:
        rules = parse(f"{name}{term} {operator} {value}")
    except RuleError:
        return
    assert [parse(str(rule)) for rule in rules] == [[rule] for rule in rules]
    assert not re.search(r"\b(inf|nan)\b", "".join(f"{rule.value}" for rule in rules if isinstance(rule.value, float)))


def test_limits_and_rules_replace_the_rules_of_a_preset_with_the_same_name():
    parameters = Filter(preset="sdp-voxpopuli-es", max_duration=30, rules=("wer <= 0.5", "cer <= 0.4"))
    conditions = {rule.name: rule.condition for rule in parameters.active_rules}
    assert conditions["DURATION_ABOVE_MAX"] == "duration <= 30"
    assert conditions["WER_ABOVE_MAX"] == "wer <= 0.5"
    assert conditions["CHAR_RATE_BELOW_MIN"] == "char_rate >= 5"
    assert conditions["CER_ABOVE_MAX"] == "cer <= 0.4"
    assert parameters.max_kept_wer == 0.5


@pytest.mark.parametrize(
    ("parameters", "limit"),
    [
        (Filter(), 0.25),
        (Filter(preset="none"), None),
        (Filter(preset="none", max_wer=0.4), 0.4),
        (Filter(max_wer=0.1), 0.1),
        (Filter(preset="none", rules=("HIGH: wer < 0.3", "wer <= 0.5")), nextafter(0.3, 0)),
        (Filter(preset="none", rules=("FAIR: wer in 0.1..0.3",)), 0.3),
        (Filter(preset="emilia"), None),
    ],
)
def test_max_kept_wer_is_the_lowest_limit_of_the_active_rules(parameters, limit):
    assert parameters.max_kept_wer == limit


def test_two_rules_with_the_same_name_are_refused():
    with pytest.raises(ValueError, match="two rules are named WER_ABOVE_MAX: give one of them another name"):
        Filter(rules=("wer <= 0.3", "wer < 0.4"))


def test_rules_of_a_preset_have_distinct_names_and_a_source():
    for preset in FILTERS.values():
        names = [rule.name for rule in preset.rules]
        assert len(set(names)) == len(names)
        assert preset.source

"""Rules as they are written, and what is said of those that cannot be followed."""

from math import nextafter

import pytest

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
def test_a_rule_is_read_and_written(text, expected):
    rules = parse(text)
    assert [str(rule) for rule in rules] == expected
    assert [parse(str(rule)) for rule in rules] == [[rule] for rule in rules]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cer", "'cer' is no rule: write a column, an operator and a value, such as cer <= 0.3"),
        ("cer => 0.3", "'cer => 0.3': '> 0.3' is no number, no column"),
        ("cer <=", "'cer <=': '' is no number"),
        ("cer <= 0.3 or 1", "'cer <= 0.3 or 1': '0.3 or 1' is no number"),
        ('lang < "en"', '< compares numbers, and "en" is none'),
        ("narrowband >= true", ">= compares numbers, and true is none"),
        ("duration in 20..1", "a range, the lower number first"),
        ("duration in 1..", "a range, the lower number first"),
        ("lang in en,", "a list of texts"),
        ("longest word < 25", "is no rule"),
        ("", "is no rule"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(text, complaint):
    with pytest.raises(RuleError) as raised:
        parse(text)
    assert complaint in str(raised.value)


def test_limits_and_rules_take_the_place_of_the_presets_with_the_same_name():
    given = Filter(preset="sdp-voxpopuli-es", max_duration=30, rules=("wer <= 0.5", "cer <= 0.4"))
    conditions = {rule.name: rule.condition for rule in given.active_rules}
    assert conditions["DURATION_ABOVE_MAX"] == "duration <= 30"
    assert conditions["WER_ABOVE_MAX"] == "wer <= 0.5"
    assert conditions["CHAR_RATE_BELOW_MIN"] == "char_rate >= 5"
    assert conditions["CER_ABOVE_MAX"] == "cer <= 0.4"
    assert given.max_kept_wer == 0.5


@pytest.mark.parametrize(
    ("given", "limit"),
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
def test_the_highest_wer_is_that_of_the_rules_in_force(given, limit):
    assert given.max_kept_wer == limit


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two rules are named WER_ABOVE_MAX: give one of them another name"):
        Filter(rules=("wer <= 0.3", "wer < 0.4"))


def test_the_rules_of_a_preset_have_different_names_and_a_source():
    for preset in FILTERS.values():
        names = [rule.name for rule in preset.rules]
        assert len(set(names)) == len(names)
        assert preset.source

"""How rules are written, what limits they set, and how invalid ones are refused."""

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
    ],
)
def test_invalid_rule_is_refused_with_what_was_expected(text, complaint):
    with pytest.raises(RuleError) as raised:
        parse(text)
    assert complaint in str(raised.value)


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

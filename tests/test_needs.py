"""What rules need and a run does not have is said before anything is read."""

import pytest

from cli.presets import show
from winnow.errors import MissingColumns, RuleError
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.filter import Filter
from winnow.validation.rules import rules_for

ROW = {"audio_filepath": "a.wav", "duration": 1.0, "text": "hello", "lang": "en", "snr": 5, "wer": 0.1, "level": "high"}


@pytest.fixture
def asked(manifest):
    """The rules of a run over a manifest with these fields, and a line that is none."""
    corpus = manifest(b"{", ROW, ROW | {"note": "x"}, tones=False)

    def of(large: str | None = None, **parameters) -> Curation:
        given = Filter(**{"preset": "none"} | parameters)
        return Curation(manifest=corpus, output="out", small="s.nemo", large=large, filter=given)

    return of


@pytest.mark.parametrize(
    "rule",
    [
        "cer <= 0.3",
        "snr >= 3",
        'lang == "en"',
        "lang != level",
        "note in x, y",
        "input_wer < 0.5",
        "longest_word(note) < 9",
        "silent < 0.5",
        "ngram_copies(pred_text, 3) < 4",
    ],
)
def test_rules_that_can_be_followed_are(asked, rule):
    assert rule.split()[0] in rules_for(asked(rules=(rule,))).rules[-1]


def test_limits_for_labels_need_a_run_that_has_some(asked):
    other = asked().model_copy(update={"filter": Filter(preset="none", min_confidence=0.5)})  # as refilter does
    with pytest.raises(RuleError, match=r"filter.min_confidence: every utterance of this run has a reference"):
        rules_for(other)
    models = ["a.nemo", "b.nemo"]
    vote = Ensemble(manifest=other.manifest, output="out", models=models, filter={"min_confidence": 0.5})
    with pytest.raises(RuleError, match="a vote has an agreement, and no confidence"):
        rules_for(vote)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("dnsmos >= 3", "no dnsmos (number) in the first 1,000 utterances, which the rule dnsmos >= 3 needs"),
        ("level >= 3", "no level (number, and not 'high')"),
        (
            "lang == en",
            'no en in the first 1,000 utterances, which the rule lang == en needs; as a text it stands in quotes: "en"',
        ),
        ("longest_word(snr) < 9", "no snr (text, and not 5)"),
        ("lang == true", "no lang (boolean, and not 'en')"),
    ],
)
def test_what_the_manifest_lacks_is_named(asked, rule, complaint):
    with pytest.raises(MissingColumns) as raised:
        rules_for(asked(rules=(rule,)))
    assert complaint in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ('cer == "low"', "cer is a number, and is compared with a text"),
        ("narrowband >= 1", "narrowband is a boolean, and is compared with a number"),
        ("cer <= pred_text", "pred_text is a text, and is compared with a number"),
        ("model < band", "< compares numbers, and model is none"),
        ("all_caps(text) >= narrowband", ">= compares numbers, and all_caps(text) is none"),
        ("loudness(text) < 1", "no measure loudness; there are chars, words"),
        ("charset(text) >= 1", "charset takes a language or characters behind a comma"),
        ("chars(text, 5) >= 1", "chars takes nothing but a column"),
        ("ngram_copies(text, many) < 1", "many is no number of words"),
        ("chars(duration) > 1", "duration is a number, and chars measures a text"),
        ("copies(pred_text) < 2", "copies is of text, the reference, only"),
        ("large_wer <= 0.1", "there is no large model in this run"),
        ("known_phrase(text) == false", "needs filter.phrases, a file with a phrase a line"),
        ("BAD_JSON: cer <= 1", "BAD_JSON is a reason for quarantine"),
    ],
)
def test_a_rule_that_cannot_be_followed_says_why(asked, rule, complaint):
    with pytest.raises(RuleError) as raised:
        rules_for(asked(rules=(rule,)))
    assert complaint in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_preset_names_all_that_it_needs_and_the_manifest_lacks(asked):
    with pytest.raises(MissingColumns) as raised:
        rules_for(asked(preset="curator-tts"))
    said = "no bandwidth (number), sisdr_squim (number), stoi_squim (number) in the first 1,000 utterances"
    assert f"{said}, which filter.preset curator-tts needs" in str(raised.value)


def test_phrases_are_read_as_they_are_compared(asked, tmp_path):
    (tmp_path / "phrases.txt").write_text("Thank you!\n\nthank  you\nBye.\n")
    given = asked(rules=("known_phrase(pred_text) == false",), phrases=tmp_path / "phrases.txt")
    assert rules_for(given).phrases == ("bye", "thank you")
    with pytest.raises(RuleError, match="no phrases that can be read"):
        rules_for(asked(rules=("known_phrase(pred_text) == false",), phrases=tmp_path / "none.txt"))


def test_texts_are_counted_only_where_a_rule_compares_them(asked):
    assert rules_for(asked(rules=("occurrence(text) <= 1",))).needs_whole_run
    assert not rules_for(asked(rules=("chars(text) >= 1",))).needs_whole_run


def test_presets_are_shown_with_their_rules_and_what_they_need(capsys):
    show(("granary", "winnow"))
    shown = capsys.readouterr().out
    assert "longest_word(pred_text) < 25  PRED_LONGEST_WORD_ABOVE_MAX" in shown
    assert "needs language, source_lang, language_probability, filter.phrases" in shown
    assert shown.endswith("winnow  the default\n    wer <= 0.25  WER_ABOVE_MAX\n")

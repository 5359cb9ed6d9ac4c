"""What rules need and a run does not have is reported before anything is transcribed."""

from contextlib import nullcontext

import pytest

from cli.presets import show
from winnow.errors import MissingColumns, RuleError
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.filter import Filter
from winnow.validation.rules import rules_for

ROW = {"audio_filepath": "a.wav", "duration": 1.0, "text": "hello", "lang": "en", "snr": 5, "wer": 0.1, "level": "high"}


@pytest.fixture
def run_with(manifest):
    """Returns the parameters of a run over a manifest with these fields and an invalid line."""
    corpus = manifest(b"{broken", ROW, ROW | {"note": "x"}, tones=False)

    def settings_with(large: str | None = None, **parameters) -> Curation:
        rules = Filter(**{"preset": "none"} | parameters)
        return Curation(manifest=corpus, output="out", small="s.nemo", large=large, filter=rules)

    return settings_with


@pytest.mark.parametrize(
    "rule",
    [
        "cer <= 0.3",
        "snr >= 3",
        'lang == "en"',
        "lang != level",
        "note in x, y",
        "note not in [x, y]",
        "snr in [5, 10]",
        "channels in [1, 2]",
        "wer <= 2",
        "input_wer < 0.5",
        "longest_word(note) < 9",
        "silent < 0.5",
        "ngram_copies(pred_text, 3) < 4",
    ],
)
def test_rules_on_columns_fields_and_statistics_are_accepted(run_with, rule):
    assert rule.split()[0] in rules_for(run_with(rules=(rule,))).rules[-1]


def test_limits_without_a_reference_are_refused_if_every_utterance_has_one(run_with):
    other = run_with().model_copy(update={"filter": Filter(preset="none", min_confidence=0.5)})  # as refilter does
    with pytest.raises(
        RuleError, match=r"--filter\.min-confidence: not used, because every utterance of this run has a reference"
    ):
        rules_for(other)
    models = ["a.nemo", "b.nemo"]
    vote = Ensemble(manifest=other.manifest, output="out", models=models, filter={"min_confidence": 0.5})
    with pytest.raises(RuleError, match=r"--filter\.min-confidence: not used, because ROVER gives no confidence"):
        rules_for(vote)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("mos >= 3", "no mos (number) in the first 1,000 utterances, needed for the rule mos >= 3"),
        ("level >= 3", "no level (number, got 'high')"),
        (
            "lang == en",
            "no en in the first 1,000 utterances, needed for the rule lang == en; "
            'to compare with a text, put it in quotes: "en"',
        ),
        ("longest_word(snr) < 9", "no snr (text, got 5)"),
        ("lang == true", "no lang (boolean, got 'en')"),
    ],
)
def test_missing_fields_of_the_manifest_are_named(run_with, rule, complaint):
    with pytest.raises(MissingColumns) as raised:
        rules_for(run_with(rules=(rule,)))
    assert complaint in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ('cer == "low"', "cer is a number, but is compared with a text"),
        ("narrowband >= 1", "narrowband is a boolean, but is compared with a number"),
        ("cer <= pred_text", "pred_text is a text, but is compared with a number"),
        ("model < band", "< compares numbers, but model is not a number"),
        ("all_caps(text) >= narrowband", ">= compares numbers, but all_caps(text) is not a number"),
        ("loudness(text) < 1", "unknown statistic loudness: expected one of chars, words"),
        ("charset(text) >= 1", "charset needs a second argument, a language or characters in quotes"),
        ("chars(text, 5) >= 1", "chars takes only a column, got 5"),
        ("ngram_copies(text, many) < 1", "expected a number of words, got many"),
        ("chars(duration) > 1", "chars needs a text, but duration is a number"),
        ("copies(pred_text) < 2", "copies works only on text, the reference"),
        ("large_wer <= 0.1", "this run has no large model"),
        ("known_phrase(text) == false", "known_phrase needs --filter.phrases, a file with one phrase per line"),
        ("BAD_JSON: cer <= 1", "BAD_JSON is a reason for quarantine"),
        ("REJECTED_BY_GATE: cer <= 1", "REJECTED_BY_GATE is a reason of Winnow's own: give the rule another name"),
        ("GIVEN_UP: cer <= 1", "GIVEN_UP is a reason of Winnow's own"),
        ("NOTHING_HEARD: cer <= 1", "NOTHING_HEARD is a reason of Winnow's own"),
        ("duplicate_utt == false", "DUPLICATE_UTT is a reason for quarantine"),
        ("ngram_copies(text, ²) <= 5", "expected a number of words, got ²"),
        ("ngram_copies(text, 0) <= 5", "expected a number of words, got 0"),
        (f"ngram_copies(text, {'9' * 5000}) <= 5", "expected a number of words, got 999"),
        ('charset(text, "") >= 1', "got an empty text"),
        ("wer <= 25", "wer: 25 is above 2, but this is a fraction: 0.25?"),
        ("small_cer in 0..30", "small_cer: 30 is above 2, but this is a fraction: 0.3?"),
        ("confidence >= 80", "confidence: 80 is above 1, but this is a fraction: 0.8?"),
        ("charset(text, de) >= 99", 'charset(text, "de"): 99 is above 1, but this is a fraction: 0.99?'),
        ("silent not in 90..100", "silent: 90 is above 1"),
        ("duration in [1, 20]", "hardly any duration is exactly one of these numbers: write a range, such as 1..20"),
        ("duration in [short]", "compared with a text; after in, a range of numbers is written as 1..20"),
        ("reason == snr", "reason is a column of the output, which rules cannot compare"),
        ("agreement >= 0.8", "agreement needs several models, and this run has one"),
        ("small_agreement >= 0.8", "small_agreement does not exist: the agreement is that of later models"),
        ('last_band == "accept"', "last_band needs a gate, and this run has no larger model"),
    ],
)
def test_invalid_rule_is_refused_with_its_reason(run_with, rule, complaint):
    with pytest.raises(RuleError) as raised:
        rules_for(run_with(rules=(rule,)))
    assert complaint in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (
            "confidence >= 0.8",
            "ROVER gives no confidence: use agreement, or that of a model, such as model1_confidence",
        ),
        ("tokens >= 1", "the vote has no tokens: use that of a model, such as model1_tokens"),
        ("model1_agreement >= 0.8", "model1_agreement does not exist"),
        ('band == "accept"', "band needs a gate"),
        ("small_wer <= 0.1", "this run has no small model"),
    ],
)
def test_rule_on_what_no_row_of_an_ensemble_has_is_refused(run_with, rule, complaint):
    settings = run_with(rules=(rule,))
    vote = Ensemble(manifest=settings.manifest, output="out", models=["a.nemo", "b.nemo"], filter=settings.filter)
    with pytest.raises(RuleError) as raised:
        rules_for(vote)
    assert complaint in str(raised.value)


@pytest.mark.parametrize("rule", ["model2_confidence >= 0.8", "agreement >= 0.8", 'band != "reject"', "cer <= 0.3"])
def test_rule_on_what_an_ensemble_has_is_accepted(run_with, rule):
    settings = run_with(rules=(rule,))
    vote = Ensemble(manifest=settings.manifest, output="out", models=["a.nemo", "b.nemo"], filter=settings.filter)
    assert rules_for(vote).rules[-1].endswith(rule)


def test_preset_names_every_field_that_the_manifest_lacks(run_with):
    with pytest.raises(MissingColumns) as raised:
        rules_for(run_with(preset="curator-tts"))
    missing = "no bandwidth (number), sisdr_squim (number), stoi_squim (number) in the first 1,000 utterances"
    assert f"{missing}, needed for --filter.preset curator-tts" in str(raised.value)


@pytest.mark.parametrize(
    ("preset", "missing"), [("emilia", None), ("gigaspeech2", None), ("granary", r"no source_lang in the first")]
)
def test_preset_needs_of_the_manifest_what_measures_do_not_give(run_with, tmp_path, preset, missing):
    (tmp_path / "phrases.txt").write_text("bye\n")
    measurable = {"dnsmos", "language", "language_probability"}
    expected = pytest.raises(MissingColumns, match=missing) if missing else nullcontext()
    with expected:
        rules_for(run_with(preset=preset, phrases=tmp_path / "phrases.txt"), measurable=measurable)


def test_phrases_are_normalized_and_read_once(run_with, tmp_path):
    (tmp_path / "phrases.txt").write_text("Thank you!\n\nthank  you\nBye.\n")
    settings = run_with(rules=("known_phrase(pred_text) == false",), phrases=tmp_path / "phrases.txt")
    assert rules_for(settings).phrases == ("bye", "thank you")
    with pytest.raises(RuleError, match=r"cannot read the phrases of --filter\.phrases"):
        rules_for(run_with(rules=("known_phrase(pred_text) == false",), phrases=tmp_path / "none.txt"))


def test_references_are_counted_only_if_a_rule_needs_the_counts(run_with):
    assert rules_for(run_with(rules=("occurrence(text) <= 1",))).needs_whole_run
    assert not rules_for(run_with(rules=("chars(text) >= 1",))).needs_whole_run


def test_presets_are_shown_with_their_rules_and_requirements(capsys):
    show(("granary", "winnow"))
    shown = capsys.readouterr().out
    assert "longest_word(pred_text) < 25  PRED_LONGEST_WORD_ABOVE_MAX" in shown
    assert "needs language, source_lang, language_probability, --filter.phrases" in shown
    assert shown.endswith("winnow  the default\n    wer <= 0.25  WER_ABOVE_MAX\n")

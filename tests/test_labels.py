"""Labels: hypotheses that become the text of utterances without a reference, and what is no label."""

import json

import numpy as np
import pytest
import soundfile

from tasks.filter import filter
from tests.conftest import published_rows, shard_table
from tests.in_process import curate, ensemble
from winnow.errors import RuleError
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.rules.rule import Rules
from winnow.schema import BEFORE_FILTER
from winnow.text.subtitle_phrases import SUBTITLE_PHRASES, is_subtitle_phrase
from winnow.text.text_stats import compression_ratio, has_unknown_token, in_a_row, letters
from winnow.validation.rules import rules_for

LONG = (
    "the quick brown fox jumps over the lazy dog and runs into the forest where nobody has ever seen it before while "
    "the dog sleeps on and dreams of other foxes that are not quite as quick as this one was"
)
CHINESE = "今天天气很好我们一起去公园散步然后在湖边的餐厅吃午饭下午回家看书晚上和朋友打电话聊聊最近的工作"


DEFAULT = Filter()


def reason_of(said: str, given: Filter = DEFAULT, **columns: object) -> str | None:
    """Return why a label of two seconds of loud audio is dropped; None if it is kept."""
    rules = Rules(
        rules=tuple(map(str, given.active_rules)),
        unreferenced=tuple(map(str, given.unreferenced_rules)),
        phrases=("well then",),
    )
    measured = {"duration": 2.0, "silent": 0.1, "peak": 0.5, "small_pred_text": said}
    rows = shard_table(BEFORE_FILTER, **{name: [value] for name, value in (measured | columns).items()})
    return filter(rows, rules)["reason"].to_pylist()[0]


@pytest.mark.parametrize(
    ("text", "columns", "reason"),
    [
        ("good morning", {}, None),
        (LONG, {"duration": 12.0}, None),
        (CHINESE, {"duration": 12.0}, None),
        ("no no no no", {}, None),
        ("Thank you.", {}, None),
        ("thank you for watching my dog", {}, None),
        ("what?? <angle> and [brackets]", {}, None),
        ("", {}, "NOTHING_HEARD"),
        ("…", {}, "NOTHING_HEARD"),
        ("♪♪♪", {}, "NOTHING_HEARD"),
        ("[Music] (applause) *coughs*", {}, "NOTHING_HEARD"),
        ("good morning", {"silent": 1.0, "peak": 0.0}, "SILENT_ABOVE_MAX"),
        ("good morning", {"silent": 0.97}, "SILENT_ABOVE_MAX"),
        ("good morning", {"peak": 0.005}, "PEAK_BELOW_MIN"),
        ("good ⁇ morning", {}, "PRED_UNKNOWN_TOKEN"),
        ("good <unk>", {}, "PRED_UNKNOWN_TOKEN"),
        ("Thank you for watching!", {}, "PRED_SUBTITLE_PHRASE"),
        ("thank you for watching. Please subscribe to my channel!", {}, "PRED_SUBTITLE_PHRASE"),
        ("Untertitelung des ZDF, 2020", {}, "PRED_SUBTITLE_PHRASE"),
        ("ご視聴ありがとうございました。", {}, "PRED_SUBTITLE_PHRASE"),
        ("I am sorry. " * 12, {"duration": 20.0}, "PRED_IN_A_ROW_ABOVE_MAX"),
        ("no no no no no", {}, "PRED_IN_A_ROW_ABOVE_MAX"),
        ("哈哈哈哈哈哈", {}, "PRED_IN_A_ROW_ABOVE_MAX"),
        (f"{LONG} {LONG} {LONG} {LONG}", {"duration": 60.0}, "PRED_COMPRESSION_RATIO_ABOVE_MAX"),
        (LONG, {}, "PRED_CHAR_RATE_ABOVE_MAX"),
        ("you", {"duration": 30.0}, "PRED_WORD_RATE_BELOW_MIN"),
    ],
)
def test_hypothesis_that_nobody_said_is_no_label(text, columns, reason):
    assert reason_of(text, **columns) == reason


@pytest.mark.parametrize(
    ("text", "parameters", "reason"),
    [
        ("Thanks for watching", {"label_preset": "none"}, None),
        ("…", {"label_preset": "none"}, "NOTHING_HEARD"),
        ("no no no no no", {"rules": ("in_a_row(pred_text) <= 9",)}, None),
        ("no no no", {"rules": ("in_a_row(pred_text) <= 2",)}, "PRED_IN_A_ROW_ABOVE_MAX"),
        ("Well, then!", {"phrases": "phrases.txt"}, "PRED_KNOWN_PHRASE"),
        ("Well, then!", {}, None),
    ],
)
def test_label_rules_are_replaced_by_rules_of_the_same_name_or_left_out(text, parameters, reason):
    assert reason_of(text, Filter(**parameters)) == reason


def test_label_rules_do_not_concern_utterances_with_a_reference():
    assert reason_of("Thanks for watching", text="thanks for watching", small_wer=0.0, silent=1.0) is None


def test_label_preset_is_refused_if_every_utterance_has_a_reference(manifest):
    corpus = manifest({"audio_filepath": "a.wav", "text": "one"}, tones=False)
    settings = Curation(manifest=corpus, output="out", small="s.nemo", filter={"label_preset": "none"})
    with pytest.raises(RuleError, match=r"--filter\.label-preset: not used"):
        rules_for(settings)


def test_statistics_of_repetition_and_unknown_tokens():
    assert [in_a_row(text) for text in ("", "a", "a b", "A a, a", "a b a b a", "x a b c a b c y")] == [0, 1, 1, 3, 2, 2]
    assert [letters(text) for text in ("", "a1!", "[a", "[[a]]", "(a) b", "<a><b", "* * a")] == [0, 2, 1, 0, 1, 1, 1]
    assert [has_unknown_token(text) for text in ("??", "⁇", "<UNK>", "unk", "caf\ufffd")] == [
        False,
        True,
        True,
        False,
        True,
    ]
    assert compression_ratio("") == 0.0
    assert compression_ratio(LONG) < 2 < compression_ratio("thank you " * 12)
    hindi = "यह एक लंबा वाक्य है जिसमें कोई भी शब्द बार बार नहीं दोहराया जाता और जो सामान्य भाषण जैसा दिखता है"
    assert compression_ratio(hindi) < 2


@pytest.mark.parametrize("phrase", [phrase for phrases in SUBTITLE_PHRASES.values() for phrase in phrases])
def test_phrase_of_subtitles_is_recognized_in_any_case_and_twice(phrase):
    assert is_subtitle_phrase(f"{phrase}! {phrase.lower()}")
    assert is_subtitle_phrase(phrase.replace("i", "\u0130").upper() if phrase in SUBTITLE_PHRASES["tr"] else phrase)


SAID = {
    "speech.wav": "good morning",
    "silence.wav": "thank you",
    "hiss.wav": "yes",
    "noise.wav": "Thank you for watching!",
}
SAID |= {"tone.wav": "one two three " * 12, "unknown.wav": "good ⁇"}
REASONS = {
    "speech.wav": None,
    "silence.wav": "SILENT_ABOVE_MAX",
    "hiss.wav": "PEAK_BELOW_MIN",
    "noise.wav": "PRED_SUBTITLE_PHRASE",
    "tone.wav": "PRED_IN_A_ROW_ABOVE_MAX",
    "unknown.wav": "PRED_UNKNOWN_TOKEN",
}


@pytest.fixture
def recordings(manifest, tmp_path):
    """A manifest without references: speech, digital silence, hiss at -50 dB, noise and tones, of two seconds each."""
    pick, at = np.random.default_rng(1), np.arange(32_000) / 16_000
    for name in SAID:
        samples = 0.3 * np.sin(2 * np.pi * 440 * at)
        if name != "tone.wav":
            level = {"silence.wav": 0.0, "hiss.wav": 0.002, "noise.wav": 0.1}.get(name)
            samples = samples if level is None else level * pick.uniform(-1, 1, len(at))
        soundfile.write(tmp_path / name, samples, 16_000, subtype="PCM_16")
    return manifest(*({"audio_filepath": name, "duration": 2.0} for name in SAID))


def test_silence_noise_and_tones_do_not_become_training_data(recordings, hears, tmp_path):
    models = hears(small=SAID, large={name: text.upper() for name, text in SAID.items()})
    curate(manifest=recordings, output=tmp_path / "one", references="optional", small=models["small"])
    curate(manifest=recordings, output=tmp_path / "two", references="optional", **models)
    ensemble(manifest=recordings, output=tmp_path / "vote", models=list(models.values()))
    for run in ("one", "two", "vote"):
        rows = published_rows(tmp_path / run)
        assert {row["audio_filepath"]: row["reason"] for row in rows} == REASONS
        (line,) = map(json.loads, (tmp_path / run / "manifest.jsonl").read_text().splitlines())
        assert line["text"].lower() == "good morning"


def test_two_models_label_only_what_they_share_word_for_word(manifest, hears, write_tone, tmp_path):
    """Nine of ten words alike is a mean agreement of 0.95."""
    alike, text = "one two three four five six seven eight nine ten", "one two three four five six seven eight nine pen"
    names = ("alike.wav", "nearly.wav", "longer.wav")
    models = hears(
        small=dict.fromkeys(names, alike), large=dict(zip(names, (alike.title(), text, f"{alike} ten"), strict=True))
    )
    corpus = manifest(*({"audio_filepath": write_tone(name, seconds=4.0).name} for name in names))
    expected = [("keep", None), *[("drop", "AGREEMENT_BELOW_MIN")] * 2]
    curate(manifest=corpus, output=tmp_path / "one", references="optional", **models)
    ensemble(manifest=corpus, output=tmp_path / "vote", models=list(models.values()))
    for run in ("one", "vote"):
        rows = published_rows(tmp_path / run)
        assert [(row["decision"], row["reason"]) for row in rows] == expected
        assert [row["lowest_agreement"] for row in rows] == [1.0, 0.5, 0.5]
    limit = {"min_agreement": 0.95}
    report = ensemble(manifest=corpus, output=tmp_path / "limit", models=list(models.values()), filter=limit)
    assert report.kept == 3

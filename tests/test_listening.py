"""Measures: computed on the audio that the pass decodes, or later without transcribing, and compared by rules."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from flows.orchestrator import InProcess
from flows.refilter import run_refilter
from tasks.listen import listen
from tests.conftest import DEMO, published_rows
from tests.in_process import curate, ensemble
from winnow.audio import decode
from winnow.errors import MissingColumns, OptionError, OutputError, RunMismatch
from winnow.listening.measure import RATE, AudioMeasure, Column, Sound, TextMeasure
from winnow.listening.quality import FRAME, HOP, WINDOW, load, mel_features, models, repeated, window_starts
from winnow.listening.registry import MEASURES, read_text
from winnow.listening.registry import listen as listen_to
from winnow.listening.shared_frames import rate_windows
from winnow.models import listening
from winnow.parameters.curation import Curation
from winnow.parameters.listen import parse_measures
from winnow.parameters.maintenance import Refilter
from winnow.runs import ledger
from winnow.runs.retry import retry_later
from winnow.runs.verify import verify_run
from winnow.schema import AUDIO_IDENTITY, HEARD

pytest_plugins = ["tests.stand_in_vad"]

REAL = Path(__file__).parent.parent.parent / "shared/real"


class Loudness(AudioMeasure):
    name, columns = "loudness", (Column("loudness", "number", "Root mean square"),)
    heard: ClassVar[list[int]] = []

    def versions(self):
        return {"method": "1"}

    def measure(self, sound: Sound):
        self.heard.append(len(sound.samples))
        return {"loudness": round(float(np.sqrt(np.mean(np.square(sound.samples)))), 3)}


class Vowels(TextMeasure):
    name, columns = "vowels", (Column("first_vowel", "text", "First vowel"), Column("vowels", "number", "Vowels"))

    def versions(self):
        return {"method": "1"}

    def measure_text(self, text: str):
        vowels = [letter for letter in text if letter in "aeiou"]
        return {"first_vowel": vowels[0], "vowels": float(len(vowels))} if vowels else {"vowels": float("nan")}


@pytest.fixture
def loudness(register):
    """A measure that needs nothing, and the lengths of what it heard."""
    register(MEASURES, Loudness(), "loudness")
    Loudness.heard.clear()
    return Loudness.heard


@pytest.fixture
def corpus(tmp_path, manifest, hears):
    """Two utterances, at 8 and at 16 kHz, and one without audio; the parameters of a run of them."""
    for name, rate, level in (("a.wav", 8_000, 0.1), ("b.wav", RATE, 0.4)):
        soundfile.write(tmp_path / name, np.full(rate, level), rate)
    rows = [{"audio_filepath": f"{name}.wav", "duration": 1.0, "text": "one"} for name in "abc"]
    models = hears(small={f"{name}.wav": "one" for name in "abc"})
    return {"manifest": manifest(*rows, tones=False), "output": tmp_path / "out", **models}


def values(run: Path, column: str = "loudness") -> list:
    return [row[column] for row in published_rows(run)]


def refilter(run: Path, output: Path, **parameters) -> Path:
    run_refilter(Refilter(run=str(run), output=str(output), **parameters), InProcess())
    return output


def test_measure_hears_the_audio_of_the_pass_and_no_file_is_opened_twice(corpus, loudness, monkeypatch, tmp_path):
    opened = []

    def open_audio(path: str, root: object = None, original=decode.open_audio):
        opened.append(Path(path).name)
        return original(path, root)

    monkeypatch.setattr(decode, "open_audio", open_audio)
    report = curate(listen="loudness", **corpus)
    assert (report.kept, report.quarantined) == (2, 1)
    assert sorted(opened) == ["a.wav", "b.wav", "c.wav"]
    assert loudness == [RATE, RATE]
    assert sorted(values(tmp_path / "out"), key=str) == [0.1, 0.4, None]
    assert all(promise.holds for promise in verify_run(tmp_path / "out"))


def test_rule_has_its_column_measured_unless_the_manifest_has_it(corpus, loudness, manifest, tmp_path):
    rule = {"filter": {"rules": ["loudness >= 0.3"]}}
    assert curate(**corpus, **rule).kept == 1
    rows = [{"audio_filepath": f"{name}.wav", "duration": 1.0, "text": "one", "loudness": 0.9} for name in "ab"]
    given = corpus | {"manifest": manifest(*rows), "output": tmp_path / "given"}
    assert curate(**given, **rule).kept == 2
    assert len(loudness) == 2
    assert curate(**given | {"output": tmp_path / "both"}, **rule, listen="loudness").kept == 1
    assert sorted(values(tmp_path / "both", "input_loudness")) == [0.9, 0.9]
    assert sorted(values(tmp_path / "both")) == [0.1, 0.4]


def test_measure_is_added_later_without_transcribing_and_as_the_pass_would_have(corpus, loudness, tmp_path):
    curate(**corpus)
    curate(listen="loudness", **corpus | {"output": tmp_path / "whole"})
    Path(corpus["small"]).unlink()
    later = refilter(tmp_path / "out", tmp_path / "later", listen="loudness", filter={"preset": "none"})
    files, whole = (ledger.files_by_stage(run)["listen-loudness"] for run in (later, tmp_path / "whole"))
    assert [file.name for file in files] == [file.name for file in whole]
    heard = len(loudness)
    again = refilter(later, tmp_path / "again", filter={"rules": ["loudness >= 0.3"]})
    assert len(loudness) == heard
    assert sum(row["decision"] == "keep" for row in published_rows(again)) == 1
    assert all(promise.holds for run in (later, again) for promise in verify_run(run))


def test_run_is_not_resumed_with_other_measures(corpus, loudness):
    curate(**corpus)
    with pytest.raises(RunMismatch, match=r"parameters\.listen was , now loudness"):
        curate(listen="loudness", **corpus)


def test_what_was_measured_before_a_pass_was_lost_is_not_measured_again(corpus, loudness, tmp_path):
    curate(listen="loudness", **corpus)
    for key, record in ledger.read_records(tmp_path / "out").items():
        if record["stage"] != "listen-loudness":
            ledger.invalidate(ledger.record_path(tmp_path / "out", key))
    curate(listen="loudness", **corpus)
    assert len(loudness) == 2
    assert sorted(values(tmp_path / "out"), key=str) == [0.1, 0.4, None]


def test_audio_that_changed_since_the_pass_is_quarantined(corpus, loudness, tmp_path):
    curate(**corpus)
    soundfile.write(tmp_path / "a.wav", np.full(8_000, 0.2), 8_000)
    rows = published_rows(refilter(tmp_path / "out", tmp_path / "later", listen="loudness"))
    found = {row["audio_filepath"]: (row["decision"], row["reason"], row["loudness"]) for row in rows}
    assert found["a.wav"] == ("quarantine", "AUDIO_CHANGED", None)
    assert found["b.wav"] == ("keep", None, 0.4)


def test_audio_that_is_gone_stops_a_later_measure_before_anything_is_recorded(corpus, loudness, tmp_path):
    curate(**corpus)
    for name in "ab":
        (tmp_path / f"{name}.wav").rename(tmp_path / f"{name}.away")
    with pytest.raises(OutputError, match=r"AUDIO_MISSING: no such file, like 2 of 2 utterances .* mount or restore"):
        refilter(tmp_path / "out", tmp_path / "later", listen="loudness")
    for name in "ab":
        (tmp_path / f"{name}.away").rename(tmp_path / f"{name}.wav")
    later = refilter(tmp_path / "out", tmp_path / "later", listen="loudness")
    assert sorted(values(later), key=str) == [0.1, 0.4, None]


def test_row_that_a_retry_could_read_is_measured_then(corpus, loudness, tmp_path):
    curate(listen="loudness", **corpus)
    soundfile.write(tmp_path / "c.wav", np.full(RATE, 0.2), RATE)
    retry_later(tmp_path / "out", ["AUDIO_MISSING"])
    curate(listen="loudness", **corpus)
    assert sorted(values(tmp_path / "out")) == [0.1, 0.2, 0.4]
    assert len(loudness) == 3


def test_files_of_a_measure_are_read_once_for_all_rows(corpus, loudness, monkeypatch, tmp_path):
    read = []

    def heard_rows(file: Path, original=listening.heard_rows) -> list[bool]:
        read.append(file)
        return original(file)

    monkeypatch.setattr(listening, "heard_rows", heard_rows)
    curate(listen="loudness", **corpus)
    assert len(read) == 1


def test_ensemble_measures_once(corpus, loudness, hears, tmp_path):
    models = hears(first={"a.wav": "one", "b.wav": "one"}, second={"a.wav": "one", "b.wav": "two"})
    given = {"manifest": corpus["manifest"], "output": tmp_path / "vote", "models": list(models.values())}
    ensemble(listen="loudness", max_quarantined=1, **given)
    assert len(loudness) == 2
    assert sorted(values(tmp_path / "vote"), key=str) == [0.1, 0.4, None]


def test_measure_that_heard_other_audio_than_the_pass_is_noticed():
    shard = {"reason": [None, None, "TOO_SHORT"], "detail": [None] * 3, AUDIO_IDENTITY: ["f s", "f s", None]}
    types = {"reason": pa.string(), "detail": pa.string(), AUDIO_IDENTITY: pa.string()}
    rows = pa.table({name: pa.array(shard[name], kind) for name, kind in types.items()})
    heard = HEARD.append(pa.field("pauses", pa.int32()))
    heard = heard.insert(3, pa.field("speech_share", pa.float64())).append(pa.field("longest_pause", pa.float64()))
    found = [{"identity": "g s", "pauses": 1}, {"identity": "g t", "pauses": 2}, {"identity": None, "pauses": 3}]
    listened = listen(rows, {"speech": pa.Table.from_pylist(found, heard)})
    assert listened["reason"].to_pylist() == [None, "AUDIO_CHANGED", "TOO_SHORT"]
    assert listened["pauses"].to_pylist() == [1, None, None]


@pytest.mark.parametrize(
    ("given", "names"),
    [("", ()), ("quality", ("quality",)), (" quality, speech ,quality,", ("speech", "quality"))],
)
def test_names_are_put_in_the_order_of_the_columns(given, names):
    assert parse_measures(given) == names
    assert Curation(manifest="m", output="o", small="s", listen=given).listen == ",".join(names)


def test_unknown_measure_is_refused():
    with pytest.raises(
        ValueError, match=r"pitch: no such measure: expected some of speech, quality, snr, language, copies, speakers"
    ):
        Curation(manifest="m", output="o", small="s", listen="speech,pitch")


def test_missing_package_is_named_with_the_extra(corpus, loudness, monkeypatch):
    monkeypatch.setattr(Loudness, "packages", {"no_such_module": "no-such-package"})
    with pytest.raises(OptionError, match=r"loudness requires no-such-package: install winnow\[listen\]"):
        curate(listen="loudness", **corpus)
    with pytest.raises(MissingColumns, match=r"no loudness .* requires no-such-package, install winnow\[listen\]"):
        curate(filter={"rules": ["loudness > 0.2"]}, **corpus)


def test_gate_cannot_compare_what_is_measured_after_it(corpus, loudness):
    with pytest.raises(MissingColumns, match=r"no loudness .*only the filter of a run that measures it can compare it"):
        curate(**corpus, large=str(corpus["manifest"]), gate={"rules": ["loudness > 0.2"]})


def test_speech_and_pauses_follow_from_spans(loud_is_speech):
    loud, quiet = np.full(RATE, 0.5, np.float32), np.zeros(RATE // 2, np.float32)
    heard = listen_to(["speech"], np.concatenate([loud, quiet, loud, quiet, quiet, loud]))
    assert {name: round(value, 1) for name, value in heard.items()} == {
        "speech_share": 0.7,
        "pauses": 2,
        "longest_pause": 0.9,
    }
    silent = {"speech_share": 0.0, "pauses": None, "longest_pause": None}
    assert listen_to(["speech"], np.zeros(RATE, np.float32)) == silent


@pytest.mark.usefixtures("loud_is_speech")
@pytest.mark.parametrize("samples", [[], [0.5], [np.nan] * RATE, [1e-30] * RATE])
def test_audio_that_a_measure_cannot_tell_anything_of_has_nulls(samples):
    found = listen_to(["speech", "snr", "copies"], np.array(samples, np.float32))
    assert found.pop("speech_share") in (0.0, 1.0)
    assert {value for name, value in found.items() if name != "pauses" and name != "longest_pause"} == {None}


@pytest.mark.parametrize(("level", "noise", "snr"), [(0.5, 0.005, 40.0), (0.5, 0.0, None), (0.0, 0.005, None)])
def test_snr_compares_speech_with_what_lies_between(loud_is_speech, level, noise, snr):
    samples = np.full(3 * RATE, noise, np.float32)
    samples[RATE : 2 * RATE] += level
    found = listen_to(["snr"], samples)["snr"]
    assert found == (snr and pytest.approx(snr, abs=0.5))


@pytest.mark.parametrize(("seconds", "windows"), [(0.1, 3), (1, 7), (9.01, 1), (10, 1), (11, 2)])
def test_windows_begin_a_second_apart_in_audio_that_is_repeated_until_it_fills_one(seconds, windows):
    samples = repeated(np.arange(int(seconds * RATE), dtype=np.float32))
    assert window_starts(samples) == list(range(windows))
    found = [samples[number * RATE :][:WINDOW] for number in range(windows)]
    assert [len(window) for window in found] == [WINDOW] * windows
    assert [window[0] for window in found] == [number * RATE % (seconds * RATE) for number in range(windows)]


@pytest.mark.soak  # librosa compiles its functions in a new environment, which takes a minute
def test_mel_features_are_those_of_librosa():
    librosa = pytest.importorskip("librosa")
    samples = np.random.default_rng(0).normal(0, 0.1, 18 * RATE).astype(np.float32)
    samples[12 * RATE : 14 * RATE] = 0
    seconds = window_starts(samples)
    features = np.concatenate(list(mel_features(samples, seconds)))
    for second, found in [(seconds[number], features[number]) for number in (0, 3, -1)]:
        window = samples[second * RATE :][: WINDOW - HOP]
        mel = librosa.feature.melspectrogram(y=window, sr=RATE, n_fft=FRAME, hop_length=HOP, n_mels=120)
        expected = (librosa.power_to_db(mel, ref=np.max).T + 40) / 40
        np.testing.assert_allclose(found, expected[: len(found)], atol=1e-4)


def test_windows_are_rated_as_each_by_itself():
    for module in ("onnx", "onnxruntime", "speechmos"):
        pytest.importorskip(module)
    samples = np.random.default_rng(0).normal(0, 0.1, 12 * RATE).astype(np.float32)
    samples[10 * RATE :] *= 0.01
    seconds, (model, _) = [0, 2], models()
    alone = [load(model).run(None, {"input_1": samples[None, second * RATE :][:, :WINDOW]})[0] for second in seconds]
    np.testing.assert_allclose(rate_windows(model, samples, seconds), np.concatenate(alone), atol=1e-4)


def test_quality_is_that_of_speechmos():
    for module in ("onnxruntime", "librosa", "requests"):
        pytest.importorskip(module)
    dnsmos = pytest.importorskip("speechmos.dnsmos")
    path = REAL / "audio" / "austen-0880.wav"
    if not path.exists():
        pytest.skip("there is no shared/real")
    samples = decode.load_clip(str(path), None, None, RATE, longest=120).samples[: 10 * RATE]
    theirs = dnsmos.run(samples, RATE)
    ours = listen_to(["quality"], samples)
    expected = [theirs[key] for key in ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")]
    assert list(ours.values()) == pytest.approx(expected, abs=0.01)


def test_emilia_measures_and_compares_quality_and_language(manifest, hears, tmp_path):
    for module in ("onnx", "onnxruntime", "speechmos", "py3langid"):
        pytest.importorskip(module)
    texts = {
        str(DEMO / "corpus/audio/432.flac"): "call gregory quiet in the office",
        str(DEMO / "corpus/audio/051.ogg"): "call nathan now then my number is three one zero three",
    }
    seconds = 3.102, 3.394
    rows = [{"audio_filepath": a, "duration": d, "text": t} for (a, t), d in zip(texts.items(), seconds, strict=True)]
    models = hears(small=texts)
    curate(manifest=manifest(*rows, tones=False), output=tmp_path / "out", filter={"preset": "emilia"}, **models)
    assert [(row["decision"], row["reasons"]) for row in published_rows(tmp_path / "out")] == [
        ("keep", None),
        ("drop", ["DNSMOS_BELOW_MIN"]),
    ]
    assert values(tmp_path / "out", "language") == ["en", "en"]
    assert values(tmp_path / "out", "dnsmos") == pytest.approx([3.18, 1.22], abs=0.01)


def test_text_without_reference_is_that_of_the_last_model_that_wrote_letters(register):
    register(MEASURES, Vowels(), "vowels")
    columns = {
        "reason": [None, None, None, None, "TOO_SHORT"],
        "detail": [None] * 5,
        AUDIO_IDENTITY: [None] * 5,
        "text": ["one", None, "2", "shh", "one"],
        "small_pred_text": ["two", "six", None, None, None],
        "large_pred_text": [None, "?", "four", None, None],
    }
    rows = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    listened = listen(rows, {}, ["vowels"])
    assert listened["first_vowel"].to_pylist() == ["o", "i", "o", None, None]
    assert listened["vowels"].to_pylist() == [2, 1, 2, None, None]


def test_rule_compares_what_is_measured_in_the_text_with_a_field(corpus, register, manifest, tmp_path):
    register(MEASURES, Vowels(), "vowels")
    rows = [{"audio_filepath": f"{n}.wav", "duration": 1.0, "text": "one", "want": w} for n, w in ("ao", "be")]
    given = corpus | {"manifest": manifest(*rows, tones=False)}
    assert curate(**given, filter={"rules": ["first_vowel == want"]}).kept == 1
    assert values(tmp_path / "out", "first_vowel") == ["o", "o"]
    assert not {"listen-vowels"} & ledger.files_by_stage(tmp_path / "out").keys()


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("en", "the quick brown fox jumps over the lazy dog"),
        ("en", "THE DOOR OF THE GARDEN IS OPEN"),
        ("de", "der Schlüssel liegt unter dem dritten Blumentopf"),
        ("es", "mañana vendrán nuestros vecinos a comer"),
        ("ja", "明日は雨が降るでしょう"),
        ("ko", "내일은 비가 올 것이다"),
    ],
)
def test_language_of_the_text(tag, text):
    pytest.importorskip("py3langid")
    found = read_text(["language"], text)
    assert found["language"] == tag
    assert 0.8 < found["language_probability"] <= 1
    assert read_text(["language"], None) == {"language": None, "language_probability": None}

"""Export: the kept rows of a run in forms that trainers read, with all of their audio, in parts that share nothing."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.export import run_export
from tests.in_process import Watched, curate
from winnow.audio.tar_members import tar_members
from winnow.errors import OptionError, OutputError, RunMismatch
from winnow.export.verify import verify_export
from winnow.parameters.export import Export
from winnow.runs.command import command_of

RATE = 16_000
ROWS = [
    {"audio_filepath": "a.wav", "duration": 1.0, "text": "good morning", "lang": "en", "speaker": "ann"},
    {"audio_filepath": "b.flac", "duration": 1.5, "text": "Grüß dich,\tAnn", "lang": "de", "speaker": "bob"},
    {"audio_filepath": "call.wav", "offset": 0.5, "duration": 1.0, "text": "hello", "channel": 1, "speaker": "cat"},
    {"audio_filepath": "call.wav", "offset": 2.0, "duration": 0.75, "text": "hello you", "speaker": "ann"},
    {"audio_filepath": "none.wav", "duration": 1.0, "text": "not there"},
    {"audio_filepath": "a2.wav", "duration": 1.0, "text": "wrong", "tags": ["x"]},
    {"audio_filepath": "c.ogg", "duration": 1.0, "text": "good night", "tags": ["x", "y"]},
]


def noise(name: str, seconds: float, channels: int = 1) -> np.ndarray:
    random = np.random.default_rng(sum(name.encode()))
    return random.integers(-9_000, 9_000, (round(seconds * RATE), channels), np.int16)


def write_corpus(folder: Path, rows: list[dict] = ROWS) -> Path:
    """Write audio of several formats, and a manifest."""
    folder.mkdir()
    files = {"a.wav": (1.0, 1), "b.flac": (1.5, 1), "call.wav": (4.0, 2), "a2.wav": (1.0, 1), "c.ogg": (1.0, 1)}
    for name, (seconds, channels) in files.items():
        soundfile.write(folder / name, noise(name, seconds, channels), RATE)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def make_run(corpus: Path, output: Path, rows: list[dict] = ROWS) -> Path:
    """Curate the corpus by precomputed transcripts: five rows are kept, one is dropped and one quarantined."""
    transcripts = [row | {"pred_text": "no" if row["text"] == "wrong" else row["text"]} for row in rows]
    (corpus / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in transcripts))
    rules = {"preset": "none", "max_wer": 0.5}
    curate(manifest=corpus / "corpus.jsonl", output=output, small=str(corpus / "small.jsonl"), filter=rules)
    return output


@pytest.fixture
def corpus(tmp_path) -> Path:
    return write_corpus(tmp_path / "corpus")


@pytest.fixture
def run(corpus, tmp_path) -> Path:
    return make_run(corpus, tmp_path / "run")


def export(run: Path, output: Path, form: str, **options: object):
    settings, watched = Export.model_validate({"run": run, "output": output, "form": form, **options}), Watched()
    report = run_export(settings, watched)
    resumed = None if settings.push else output  # a push is not repeated by a process without its server
    assert (watched.outputs, watched.commands) == ([resumed], [command_of(settings)[1:]])
    assert [check.sentence for check in verify_export(output) if not check.holds] == []
    return report


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def expected_audio() -> dict[str, np.ndarray]:
    """Return the samples of each exported utterance that has 16 bits without loss, by its text."""
    return {
        "good morning": noise("a.wav", 1.0)[:, 0],
        "Grüß dich,\tAnn": noise("b.flac", 1.5)[:, 0],
        "hello": noise("call.wav", 4.0, 2)[8_000:24_000, 1],
    }


def test_manifest_has_whole_files_as_they_are_and_slices_cut_at_their_samples(run, corpus, tmp_path):
    report = export(run, tmp_path / "new", "nemo")
    assert (report.kept, report.exported, report.left_out) == (5, 5, {})
    rows = lines(tmp_path / "new" / "manifest.jsonl")
    assert [row["text"] for row in rows] == ["good morning", "Grüß dich,\tAnn", "hello", "hello you", "good night"]
    assert [row["duration"] for row in rows] == [1.0, 1.5, 1.0, 0.75, 1.0]
    assert [Path(row["audio_filepath"]).suffix for row in rows] == [".wav", ".flac", ".flac", ".flac", ".ogg"]
    assert not {"offset", "channel"} & {name for row in rows for name in row}
    assert [row.get("speaker") for row in rows] == ["ann", "bob", "cat", "ann", None]
    for row, name in zip((rows[0], rows[1], rows[4]), ("a.wav", "b.flac", "c.ogg"), strict=True):
        assert (tmp_path / "new" / row["audio_filepath"]).read_bytes() == (corpus / name).read_bytes()
    for row in rows[:3]:
        samples, rate = soundfile.read(tmp_path / "new" / row["audio_filepath"], dtype="int16")
        assert rate == RATE
        assert np.array_equal(samples, expected_audio()[row["text"]])


def test_references_name_the_original_files(run, corpus, tmp_path):
    export(run, tmp_path / "new", "nemo", audio="reference")
    rows = lines(tmp_path / "new" / "manifest.jsonl")
    assert [(row["audio_filepath"], row.get("offset")) for row in rows[:3]] == [
        (str(corpus / "a.wav"), None),
        (str(corpus / "b.flac"), None),
        (str(corpus / "call.wav"), 0.5),
    ]
    assert not (tmp_path / "new" / "audio").exists()


@pytest.mark.parametrize(("audio", "rate"), [("flac", 8_000), ("wav", None), ("opus", None), ("opus", 24_000)])
def test_encoded_audio_has_its_rate_and_length(run, tmp_path, audio, rate):
    export(run, tmp_path / "new", "nemo", audio=audio, rate=rate)
    for row in lines(tmp_path / "new" / "manifest.jsonl"):
        samples, found = soundfile.read(tmp_path / "new" / row["audio_filepath"])
        assert (row["audio_filepath"].rpartition(".")[2], found) == (audio, rate or RATE)
        assert abs(len(samples) / found - row["duration"]) < 0.001
        assert samples.ndim == 1


def test_export_that_was_cut_off_gives_the_same_bytes(run, tmp_path):
    options = {"audio": "opus", "shard_hours": 1 / 3600, "shuffle": True}
    export(run, tmp_path / "new", "nemo-tarred", **options)
    before = tree(tmp_path / "new")
    (tmp_path / "new" / "audio_1.tar").write_bytes(b"half")
    (tmp_path / "new" / "_SUCCESS.json").unlink()
    (tmp_path / "new" / ".tmp-export-00").mkdir()
    next((tmp_path / "new" / "_ledger").glob("*.json")).unlink()
    export(run, tmp_path / "new", "nemo-tarred", **options)
    after = tree(tmp_path / "new")
    assert {name: after[name] for name in after if "aside" not in name} == before
    with pytest.raises(RunMismatch, match="holds another export"):
        export(run, tmp_path / "new", "nemo-tarred")


def test_damaged_file_is_named(run, tmp_path):
    export(run, tmp_path / "new", "nemo-tarred")
    with (tmp_path / "new" / "audio_0.tar").open("ab") as file:
        file.write(b"x")
    assert [check.sentence for check in verify_export(tmp_path / "new") if not check.holds] == [
        "7 files match their 3 records; missing or altered: audio_0.tar"
    ]


def test_folder_of_others_is_not_written_to(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an export's folder"):
        export(run, tmp_path / "mine", "nemo")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_audio_that_is_gone_is_counted_and_left_out_only_on_demand(run, corpus, tmp_path):
    (corpus / "call.wav").unlink()
    with pytest.raises(OutputError, match=r"2 of 5 utterances cannot be read any more \(2 AUDIO_MISSING\)"):
        export(run, tmp_path / "new", "nemo")
    report = export(run, tmp_path / "other", "nemo", drop_unreadable=True)
    assert (report.exported, report.left_out) == (3, {"AUDIO_MISSING": 2})
    assert [row["id"] for row in lines(tmp_path / "other" / "left_out.jsonl")] == [3, 4]


def test_nothing_of_an_evaluation_set_is_exported(run, corpus, tmp_path):
    soundfile.write(tmp_path / "copy.flac", noise("b.flac", 1.5), RATE)
    rows = [{"audio_filepath": "copy.flac", "text": "something else"}, {"audio_filepath": "x.wav", "text": "HELLO."}]
    (tmp_path / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(OptionError, match="2 of 5 utterances are in an evaluation set"):
        export(run, tmp_path / "new", "nemo", against=[tmp_path / "eval.jsonl"])
    report = export(run, tmp_path / "other", "nemo", against=[tmp_path / "eval.jsonl"], drop_leaks=True)
    assert (report.left_out, report.not_compared) == ({"LEAKED_AUDIO": 1, "LEAKED_TEXT": 1}, 1)
    assert [row["id"] for row in lines(tmp_path / "other" / "left_out.jsonl")] == [2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audio": "reference"}, "shar holds the audio itself"),
        ({"rate": 16_000}, "--rate: used only with"),
        ({"shards": 2, "shard_hours": 1.0}, "--shards: give either"),
        ({"buckets": 2}, "--buckets: used only with"),
        ({"push": "me/data"}, "--push: used only with"),
        ({"drop_leaks": True}, "--drop-leaks: used only with"),
        ({"split": "train=0.9"}, "add up to 1, not 0.9"),
        ({"split": "train=a"}, "expected NAME=SHARE"),
        ({"split": "a/b=0.5,c=0.5"}, "expected different names"),
        ({"audio": "opus", "rate": 44_100}, "opus has 8000"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Export.model_validate({"run": "run", "output": "new", "form": "shar", **options})


def test_parts_share_no_speaker_and_the_report_says_what_that_cost(run, tmp_path):
    options = {"split": "train=0.7,test=0.3", "apart": "speaker"}
    report = export(run, tmp_path / "new", "nemo", **options)
    parts = {name: lines(tmp_path / "new" / name / "manifest.jsonl") for name in ("train", "test")}
    speakers = {name: {row["speaker"] for row in rows if "speaker" in row} for name, rows in parts.items()}
    assert not speakers["train"] & speakers["test"]
    assert {name: len(rows) for name, rows in parts.items()} == {
        name: part.utterances for name, part in report.parts.items()
    }
    assert (report.components, report.largest_share) == (4, 1.75 / 5.25)
    with pytest.raises(OptionError, match="no utterance has a field session"):
        export(run, tmp_path / "other", "nemo", **options | {"apart": "session"})


def test_figures_of_parts_and_leaks_are_those_of_the_files(tmp_path):
    twin = {"audio_filepath": "call.wav", "offset": 3.0, "duration": 1.0, "text": "Good morning!", "speaker": "dan"}
    corpus = write_corpus(tmp_path / "corpus", [*ROWS, twin])
    run = make_run(corpus, tmp_path / "run", [*ROWS, twin])
    leaks = [{"audio_filepath": "x.wav", "text": "Hello!"}, {"audio_filepath": str(corpus / "c.ogg"), "text": "other"}]
    (tmp_path / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in leaks))
    options = {"against": [tmp_path / "eval.jsonl"], "drop_leaks": True}
    split = {"split": "train=0.7,test=0.3", "apart": "speaker,text"}
    report = export(run, tmp_path / "new", "nemo-tarred", **options, **split)
    parts = {name: lines(tmp_path / "new" / name / "tarred_audio_manifest.json") for name in report.parts}
    said = {name: sorted(row["text"] for row in rows) for name, rows in parts.items()}
    assert said == {"train": ["Good morning!", "good morning", "hello you"], "test": ["Grüß dich,\tAnn"]}
    seconds = {name: sum(row["duration"] for row in rows) for name, rows in parts.items()}
    assert {name: (part.utterances, part.hours, part.share) for name, part in report.parts.items()} == {
        "train": (3, 2.75 / 3600, pytest.approx(2.75 / 4.25)),
        "test": (1, 1.5 / 3600, pytest.approx(1.5 / 4.25)),
    }
    assert seconds == {"train": 2.75, "test": 1.5}
    assert (report.kept, report.exported, report.hours) == (6, 4, pytest.approx(4.25 / 3600))
    assert (report.left_out, report.not_compared) == ({"LEAKED_TEXT": 1, "LEAKED_AUDIO": 1}, 1)
    assert [(row["id"], row["reason"]) for row in lines(tmp_path / "new" / "left_out.jsonl")] == [
        (3, "LEAKED_TEXT"),
        (7, "LEAKED_AUDIO"),
    ]
    assert (report.components, report.largest_share) == (2, pytest.approx(2.75 / 4.25))
    assert report.remarks == [
        "2 groups of utterances had to stay together; the largest has 64.7% of the hours",
        "warning: the audio of 1 utterances of evaluation sets cannot be read and was not compared",
    ]
    assert [(row["part"], row["utterances"], row["share"]) for row in report.table] == [
        ("train", "3", "64.71%"),
        ("test", "1", "35.29%"),
        ("left out: LEAKED_TEXT", "1", ""),
        ("left out: LEAKED_AUDIO", "1", ""),
    ]


def test_buckets_have_longer_and_longer_utterances(run, tmp_path):
    export(run, tmp_path / "new", "nemo-tarred", buckets=2, shards=2)
    seconds = [
        [row["duration"] for row in lines(tmp_path / "new" / f"bucket{number}" / "tarred_audio_manifest.json")]
        for number in (1, 2)
    ]
    assert max(seconds[0]) <= min(seconds[1])
    assert sorted(seconds[0] + seconds[1]) == [0.75, 1.0, 1.0, 1.0, 1.5]
    for number in (1, 2):
        assert sorted(path.name for path in (tmp_path / "new" / f"bucket{number}").glob("*.tar")) == [
            "audio_0.tar",
            "audio_1.tar",
        ]


def test_audio_in_a_tar_is_exported_like_a_file(corpus, tmp_path):
    with tarfile.open(corpus / "audio.tar", "w") as tar:
        for name in ("a.wav", "b.flac", "call.wav", "a2.wav", "c.ogg"):
            tar.add(corpus / name, name)
    places = {place.name: str(place) for place in tar_members(str(corpus / "audio.tar"))}
    rows = [row | {"audio_filepath": places.get(row["audio_filepath"], "none.wav")} for row in ROWS]
    (corpus / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = make_run(corpus, tmp_path / "run", rows)
    export(run, tmp_path / "new", "nemo")
    found = lines(tmp_path / "new" / "manifest.jsonl")
    assert [(row["text"], Path(row["audio_filepath"]).suffix) for row in found[:2]] == [
        ("good morning", ".wav"),
        ("Grüß dich,\tAnn", ".flac"),
    ]
    for row, name in zip(found[:2], ("a.wav", "b.flac"), strict=True):
        assert (tmp_path / "new" / row["audio_filepath"]).read_bytes() == (corpus / name).read_bytes()
    samples, _ = soundfile.read(tmp_path / "new" / found[2]["audio_filepath"], dtype="int16")
    assert np.array_equal(samples, expected_audio()["hello"])
    with pytest.raises(OptionError, match="not a file on a disk"):
        export(run, tmp_path / "other", "nemo", audio="reference")


def test_nothing_is_left_to_export(run, corpus, tmp_path):
    with pytest.raises(OptionError, match="nothing is left to export of 5 utterances"):
        export(run, tmp_path / "new", "nemo", against=[corpus / "corpus.jsonl"], drop_leaks=True)

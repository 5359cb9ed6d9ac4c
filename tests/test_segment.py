"""Segment: what recordings are cut into, and that neither a second nor a word is lost."""

import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from pydantic import ValidationError

from flows.curate import run_curation
from flows.orchestrator import InProcess
from flows.segment import run_segmentation
from tests.in_process import Watched, curate
from tests.stand_in_vad import loud_is_speech  # noqa: F401, a fixture
from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.decode import Slice, load_clip
from winnow.audio.measurements import BadAudio
from winnow.audio.recording import read_recording
from winnow.errors import CheckpointError, ManifestError, MissingColumns, OptionError, OutputError, RunMismatch
from winnow.parameters.curation import Curation
from winnow.parameters.segment import Segment
from winnow.runs import ledger
from winnow.runs.command import command_of
from winnow.runs.shard_files import store_table
from winnow.runs.verify import verify_run
from winnow.schema import UTTERANCE
from winnow.segmenting.annotations import write_textgrids
from winnow.segmenting.before_start import check_curation, check_segmentation
from winnow.segmenting.manifest import OWN
from winnow.segmenting.parts import PART_REASONS
from winnow.segmenting.record import SegmentReport
from winnow.segmenting.recordings import digests_of_files, with_files
from winnow.segmenting.verify import verify_segmentation
from winnow.validation.rules import FIELDS_OF_A_SEGMENT

RATE = 16_000
ROOT = Path(__file__).parent.parent


def write_audio(path: Path, *seconds: float, rate: int = RATE, channels: int = 1) -> Path:
    """Write silence, noise, silence and so on of so many seconds."""
    random = np.random.default_rng(1)
    parts = [
        random.normal(0, 0.1 if number % 2 else 1e-5, (round(length * rate), channels))
        for number, length in enumerate(seconds)
    ]
    soundfile.write(path, np.concatenate(parts).clip(-0.9, 0.9), rate)
    return path


def write_manifest(folder: Path, *rows: dict) -> Path:
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "corpus.jsonl"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def segment(manifest: Path, output: Path, **options: object) -> SegmentReport:
    return run_segmentation(Segment(manifest=manifest, output=output, **options), InProcess())


@pytest.fixture
def corpus(tmp_path, loud_is_speech) -> Path:  # noqa: F811
    write_audio(tmp_path / "a.flac", 1, 4, 1, 6, 2)
    write_audio(tmp_path / "b.wav", 0, 3, 5, 0.4, 5, 2, rate=44_100, channels=2)
    return write_manifest(
        tmp_path,
        {"audio_filepath": "a.flac", "speaker": "ann", "segment": 7, "text": "never aligned"},
        {"audio_filepath": "b.wav", "channel": 1},
        {"audio_filepath": "a.flac", "offset": 0.5, "duration": 5},
        {"audio_filepath": "none.wav", "text": "one two three"},
        {"nothing": 1},
    )


def test_segments_have_the_place_and_the_fields_of_their_recording(corpus, tmp_path):
    segment(corpus, tmp_path / "out")
    first, second, *others = lines(tmp_path / "out/manifest.jsonl")
    assert first == {
        "audio_filepath": str(tmp_path / "a.flac"),
        "offset": pytest.approx(0.9, abs=0.04),
        "duration": pytest.approx(4.2, abs=0.07),
        "speaker": "ann",
        "input_segment": 7,
        "recording": 1,
        "segment": 1,
        "ends_in_speech": False,
    }
    assert (second["offset"], second["segment"]) == (pytest.approx(5.9, abs=0.04), 2)
    assert [(line["recording"], line["segment"], line.get("channel")) for line in others] == [
        (2, 1, 1),
        (2, 2, 1),
        (3, 1, None),
    ]
    assert others[2]["offset"] == pytest.approx(0.9, abs=0.04)


def test_what_is_no_segment_is_listed_with_its_reason(corpus, tmp_path):
    segment(corpus, tmp_path / "out")
    left_out = [line for line in lines(tmp_path / "out/left_out.jsonl") if line["part"] != "silence"]
    assert [(line["recording"], line["part"], line["reason"], line.get("text")) for line in left_out] == [
        (1, "unplaced", "NOT_ALIGNED", "never aligned"),
        (2, "left out", "SHORT_SPEECH", None),
        (4, "left out", "AUDIO_MISSING", None),
        (4, "unplaced", "AUDIO_MISSING", "one two three"),
        (5, "left out", "NO_AUDIO_PATH", None),
    ]


def test_seconds_and_words_are_conserved(corpus, tmp_path):
    report = segment(corpus, tmp_path / "out")
    assert report.balanced
    assert (report.recordings, report.milliseconds, report.words) == (5, 14_000 + 15_400 + 5_000, 5)
    checks = verify_segmentation(tmp_path / "out")
    assert [check.sentence for check in checks if not check.holds] == []
    assert "the parts of 3 recordings follow on each other, 34.400 s in total" in [check.sentence for check in checks]
    assert "5 words = 0 in segments + 5 left out" in [check.sentence for check in checks]


def test_owner_that_died_is_marked_as_crashed(corpus, tmp_path):
    class Marking(InProcess):
        def mark_crashed(self, owner):
            crashed.append(owner)

    crashed: list[dict] = []
    (tmp_path / "out").mkdir()
    (tmp_path / "out/_lock").write_text('{"flow_run": "1"}')
    for _ in range(2):
        run_segmentation(Segment(manifest=corpus, output=tmp_path / "out"), Marking())
    assert crashed == [{"flow_run": "1"}]


def test_verify_finds_the_tars_of_a_corpus_in_another_folder(tmp_path, loud_is_speech):  # noqa: F811
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars/audio_0.tar", "w") as tar:
        tar.add(write_audio(tmp_path / "a.wav", 1, 4, 1), "a.wav")
    manifest = tmp_path / "manifest_{0..0}.json"
    (tmp_path / "manifest_0.json").write_text(json.dumps({"audio_filepath": "a.wav", "duration": 6.0, "shard_id": 0}))
    segment(manifest, tmp_path / "out", relative_to=str(tmp_path / "tars"))
    assert verify_segmentation(tmp_path / "out")[-1].sentence == f"{manifest} is what was segmented"


def test_verify_takes_the_answers_of_endpoints_for_a_part_of_the_output(corpus, tmp_path):
    segment(corpus, tmp_path / "out")
    (tmp_path / "out/_answers").mkdir()
    sentences = [check.sentence for check in verify_segmentation(tmp_path / "out")]
    assert "0 files are left of attempts that died" in sentences


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("manifest.jsonl", "manifest.jsonl is missing or altered"),
        ("left_out.jsonl", "left_out.jsonl is missing or altered"),
        ("segment.json", "segment.json is missing or altered"),
        ("segment.json", "damaged"),
        ("_SUCCESS.json", "damaged"),
        ("_stages", "missing or altered"),
        ("_ledger", "damaged"),
    ],
)
def test_verify_finds_what_was_altered(corpus, tmp_path, file, sentence):
    segment(corpus, tmp_path / "out")
    path = tmp_path / "out" / file
    path = next(iter(sorted(path.rglob("*.*")))) if path.is_dir() else path
    path.write_bytes(path.read_bytes()[:-3])
    failed = [check.sentence for check in verify_segmentation(tmp_path / "out") if not check.holds]
    assert any(sentence in text for text in failed)


def test_audio_is_cached_within_the_given_limit_before_a_model_reads(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(AUDIO_CACHE, "limit", AUDIO_CACHE.limit)
    segment(corpus, tmp_path / "out", audio={"cache": "30GB"})
    assert AUDIO_CACHE.limit == 30 * 10**9


def test_same_command_writes_the_same_bytes_and_repeats_no_work(corpus, tmp_path):
    segment(corpus, tmp_path / "out")
    segment(corpus, tmp_path / "again")
    files = ("manifest.jsonl", "left_out.jsonl", "segment.json")
    before = [(tmp_path / "out" / name).read_bytes() for name in files]
    assert [(tmp_path / "again" / name).read_bytes() for name in files] == before
    (tmp_path / "out/_SUCCESS.json").unlink()
    for audio in tmp_path.glob("*.*a*"):
        audio.unlink()
    write_audio(tmp_path / "a.flac", 9)
    segment(corpus, tmp_path / "out")
    assert [(tmp_path / "out" / name).read_bytes() for name in files] == before


def test_recordings_that_are_added_meanwhile_are_not_left_out_in_silence(corpus, tmp_path):
    class Growing(InProcess):
        def submit(self, task, *arguments):
            with corpus.open("a") as manifest:
                manifest.write('{"audio_filepath": "a.flac"}\n')
            return super().submit(task, *arguments)

    with pytest.raises(ManifestError, match=r"corpus.jsonl: changed during the run"):
        run_segmentation(Segment(manifest=corpus, output=tmp_path / "out"), Growing())
    assert not (tmp_path / "out/_SUCCESS.json").exists()


def test_segmentation_that_another_version_began_counts_each_word_once(corpus, tmp_path, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr(ledger, "LAYOUT_VERSION", ledger.LAYOUT_VERSION - 1)
        segment(corpus, tmp_path / "out")
    row = dict.fromkeys(UTTERANCE.names) | {"id": 1, "audio_filepath": "a.flac", "text": "as it was read before"}
    loaded = store_table(tmp_path / "out/_stages/load", "00000", pa.Table.from_pylist([row], UTTERANCE))
    ledger.commit(tmp_path / "out", "0" * 32, [loaded], stage="load", shard="00000", rows=1, facts={})
    segment(corpus, tmp_path / "out")
    assert [check.sentence for check in verify_segmentation(tmp_path / "out") if not check.holds] == []


def test_other_parameters_or_another_folder_are_refused(corpus, tmp_path):
    segment(corpus, tmp_path / "out")
    with pytest.raises(RunMismatch, match=r"parameters.longest was 30.0, now 20.0"):
        segment(corpus, tmp_path / "out", longest=20)
    with pytest.raises(OutputError, match="not a folder of segments"):
        segment(corpus, tmp_path)


def test_curate_takes_the_manifest(corpus, tmp_path):
    segment(corpus, tmp_path / "out")
    segments = lines(tmp_path / "out/manifest.jsonl")
    (tmp_path / "read.jsonl").write_text("".join(json.dumps(line | {"pred_text": "a"}) + "\n" for line in segments))
    options = {"references": "optional", "small": str(tmp_path / "read.jsonl")}
    report = curate(manifest=tmp_path / "out/manifest.jsonl", output=tmp_path / "run", **options)
    assert (report.utterances, report.quarantined) == (5, 0)


@pytest.fixture
def chain(corpus, tmp_path) -> Curation:
    """Return a curation that segments first; the segments of the first recording are read as its text says."""
    segment(corpus, tmp_path / "cut")
    read = ["never", "aligned", "", "", ""]
    lines_read = zip(lines(tmp_path / "cut/manifest.jsonl"), read, strict=True)
    (tmp_path / "read.jsonl").write_text(
        "".join(json.dumps(line | {"pred_text": text}) + "\n" for line, text in lines_read)
    )
    folders = {"output": tmp_path / "run", "segment": str(tmp_path / "segments")}
    return Curation(manifest=corpus, small=str(tmp_path / "read.jsonl"), references="optional", **folders)


def test_curate_segments_recordings_first(chain, tmp_path, log_lines):
    watched = Watched()
    report = run_curation(chain, watched)
    assert watched.outputs == [tmp_path / "run"] * 2
    assert watched.commands == [command_of(chain)[1:], ["resume", str(tmp_path / "run")]]
    left_out = "2 AUDIO_MISSING, 1 NO_AUDIO_PATH, 1 SHORT_SPEECH"
    assert f"{tmp_path}/segments: 5 recordings: 5 segments; parts left out: {left_out}" in "\n".join(log_lines)
    assert [line.get("text") for line in lines(tmp_path / "segments/manifest.jsonl")] == [
        "never",
        "aligned",
        *[None] * 3,
    ]
    assert (report.utterances, report.quarantined) == (5, 0)
    assert [check.sentence for check in verify_run(tmp_path / "run") if not check.holds] == []
    assert [check.sentence for check in verify_segmentation(tmp_path / "segments") if not check.holds] == []


def test_curation_with_segments_continues_where_it_was_stopped(chain, tmp_path):
    class Stopping(InProcess):
        def submit(self, task, *arguments):
            nonlocal left
            if (left := left - 1) < 0:
                raise KeyboardInterrupt
            return super().submit(task, *arguments)

    run_curation(chain, InProcess())
    for left in (2, 4, 6):  # before the model reads segments, before the curation begins, and in it
        folders = {"output": str(tmp_path / f"run{left}"), "segment": str(tmp_path / f"segments{left}")}
        settings = chain.model_copy(update=folders)
        with pytest.raises(KeyboardInterrupt):
            run_curation(settings, Stopping())
        check_curation(settings)
        run_curation(settings, InProcess())
        kept, segments = Path(folders["output"]) / "manifest.jsonl", Path(folders["segment"]) / "manifest.jsonl"
        assert segments.read_bytes() == (tmp_path / "segments/manifest.jsonl").read_bytes()
        assert (
            kept.read_bytes().replace(b"segments%d" % left, b"segments")
            == (tmp_path / "run/manifest.jsonl").read_bytes()
        )


def test_output_of_another_run_is_refused_before_anything_is_cut(chain, tmp_path):
    run_curation(chain, InProcess())
    (tmp_path / "segments/_SUCCESS.json").unlink()
    check_curation(chain)
    with pytest.raises(RunMismatch, match=r"parameters\.manifest was .*/segments/manifest\.jsonl, now .*/others/"):
        run_curation(chain.model_copy(update={"segment": str(tmp_path / "others")}), InProcess())
    with pytest.raises(RunMismatch, match=r"parameters\.shard_hours was 1\.0, now 2\.0"):
        check_curation(chain.model_copy(update={"shard_hours": 2.0}))
    assert not (tmp_path / "others").exists()


def test_rules_of_a_curation_compare_what_segments_have(chain):
    rules = {"filter": {"rules": ["ends_in_speech == false", "first_word >= 0", "unknown > 1"]}}
    with pytest.raises(MissingColumns, match=r"no unknown \(number\) in"):
        check_curation(Curation.model_validate(chain.model_dump() | rules))
    assert FIELDS_OF_A_SEGMENT.keys() == {*OWN} - {"words"}


@pytest.mark.parametrize("folder", ["out", "out/segments", ".", "elsewhere/../out/segments"])
def test_segments_and_run_have_folders_of_their_own(folder, tmp_path):
    folders = {"output": tmp_path / "out", "segment": str(tmp_path / folder)}
    with pytest.raises(ValidationError, match="--segment: expected another folder"):
        Curation(manifest="a.jsonl", small="a.nemo", **folders)


def test_folder_of_the_run_is_told_by_its_absolute_path():
    with pytest.raises(ValidationError, match="--segment: expected another folder"):
        Curation(manifest="a.jsonl", small="a.nemo", output=Path("out").absolute(), segment="./out/segments")


def test_segments_that_would_be_too_long_for_the_model_are_refused_by_curate():
    with pytest.raises(ValidationError, match=r"--engine\.max-seconds: with --segment at least 30 s"):
        Curation(manifest="a.jsonl", small="a.nemo", output="out", segment="segments", engine={"max_seconds": 20})


@pytest.mark.parametrize(
    ("options", "error"),
    [({"model": "missing.nemo"}, CheckpointError), ({"audio_root": "/nowhere"}, OptionError)],
)
def test_what_is_missing_is_noticed_before_anything_is_started(corpus, options, error, tmp_path):
    with pytest.raises(error, match=r"missing\.nemo|/nowhere"):
        check_segmentation(Segment(manifest=corpus, output=tmp_path / "out", **options))


def test_recording_with_a_long_name_has_a_textgrid(tmp_path):
    part = {"id": 1, "audio_filepath": f"{'ж' * 125} a.wav", "part": "segment", "text": None, "words": None}
    (file,) = write_textgrids(tmp_path, [part | {"offset": 0.0, "duration": 1.0}])
    assert file.name == f"00001-{'ж' * 100}.TextGrid"


@pytest.mark.parametrize(("by_speaker", "reason"), [(False, None), (True, "BAD_TEXT_FILE")])
def test_turns_that_are_missing_matter_only_if_recordings_are_cut_by_them(by_speaker, reason, tmp_path):
    fields = json.dumps({"rttm_filepath": "none.rttm"})
    row = {"reason": None, "audio_filepath": "a.wav", "text": None, "offset": None, "fields": fields}
    assert with_files(row, str(tmp_path), None, by_speaker)["reason"] == reason


@pytest.mark.parametrize("field", ["text_filepath", "rttm_filepath"])
def test_pipe_in_the_place_of_a_file_is_not_opened(field, tmp_path):
    os.mkfifo(tmp_path / "a.srt")
    row = {
        "reason": None,
        "audio_filepath": "a.wav",
        "text": None,
        "offset": None,
        "fields": json.dumps({field: "a.srt"}),
    }
    rows = pa.Table.from_pylist([row])
    assert digests_of_files(rows, str(tmp_path), None) == {}
    found = with_files(row, str(tmp_path), None, by_speaker=True)
    assert (found["reason"], found["detail"]) == (
        "BAD_TEXT_FILE",
        f"{field}: a.srt: a pipe, which can be read only once: write it to a file first",
    )


def test_recording_in_blocks_has_the_samples_of_a_clip(tmp_path):
    path = str(write_audio(tmp_path / "a.wav", 0.5, 3, 1, 30, rate=44_100, channels=2))
    for part in (Slice(), Slice(1.25, 20.0), Slice(0.0, 3.0, 1)):
        clip = load_clip(path, part.offset, part.duration, RATE, 100, channel=part.channel)
        samples, recording = read_recording(path, part, RATE, lambda blocks: np.concatenate(list(blocks)))
        assert recording.milliseconds == round(1000 * clip.seconds)
        assert len(samples) == len(clip.samples)
        assert np.abs(samples - clip.samples).max() < 1e-4


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Slice(9.0), "BAD_OFFSET"),
        (Slice(None, 3.0), "DURATION_MISMATCH"),
        (Slice(0.0, 1.0, 3), "BAD_CHANNEL"),
    ],
)
def test_recording_is_refused_as_a_clip_is(tmp_path, part, reason):
    path = str(write_audio(tmp_path / "a.wav", 2))
    with pytest.raises(BadAudio, match=reason):
        read_recording(path, part, RATE, list)
    with pytest.raises(BadAudio, match=reason):
        load_clip(path, part.offset, part.duration, RATE, 100, channel=part.channel)


def test_truncated_recording_is_refused(tmp_path):
    whole = write_audio(tmp_path / "a.wav", 2).read_bytes()
    (tmp_path / "b.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadAudio, match="BAD_HEADER"):
        read_recording(str(tmp_path / "b.wav"), Slice(), RATE, list)


def test_words_are_also_written_in_other_forms(chain, tmp_path):
    segment(Path(chain.manifest), tmp_path / "out", model=chain.small, ctm=True, textgrids=True)
    assert (tmp_path / "out/words.ctm").read_text().split()[4::5] == ["never", "aligned"]
    assert [path.name for path in sorted((tmp_path / "out/textgrids").iterdir())] == [
        f"{number:05}-{name}.TextGrid" for number, name in ((1, "a"), (2, "b"), (3, "a"))
    ]
    assert [check.sentence for check in verify_segmentation(tmp_path / "out") if not check.holds] == []
    (tmp_path / "out/textgrids/00001-a.TextGrid").write_text("")
    failed = [check.sentence for check in verify_segmentation(tmp_path / "out") if not check.holds]
    assert failed == ["textgrids/00001-a.TextGrid is missing or altered"]
    with pytest.raises(ValidationError, match="--ctm: words have times only with --model"):
        Segment(manifest=chain.manifest, output=tmp_path / "none", ctm=True)


def test_text_and_speakers_come_from_files(tmp_path, loud_is_speech):  # noqa: F811
    write_audio(tmp_path / "a.wav", 1, 4, 0.2, 4, 1)
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:05,000\nGood morning.\n")
    (tmp_path / "a.rttm").write_text(
        "SPEAKER a 1 1.0 4.1 <NA> <NA> ann <NA> <NA>\nSPEAKER a 1 5.1 2.0 <NA> <NA> bob <NA> <NA>\n"
    )
    (tmp_path / "bad.srt").write_text("1\nGood morning.\n")
    row = {"audio_filepath": "a.wav", "text_filepath": "a.srt", "rttm_filepath": "a.rttm", "speaker": "both"}
    bad = {"audio_filepath": str(write_audio(tmp_path / "b.wav", 1, 2)), "text_filepath": "bad.srt"}
    manifest = write_manifest(tmp_path, row, bad, {"audio_filepath": str(write_audio(tmp_path / "c.wav", 1, 3))})
    report = segment(manifest, tmp_path / "out", by="speaker")
    assert report.table[2] == {"": "segments that end in speech", "number": "1", "hours": "", "words": ""}
    segments = lines(tmp_path / "out/manifest.jsonl")
    assert [(line["speaker"], line["input_speaker"], line["ends_in_speech"]) for line in segments] == [
        ("ann", "both", False),
        ("bob", "both", True),
    ]
    left_out = [line for line in lines(tmp_path / "out/left_out.jsonl") if line["part"] != "silence"]
    assert [(line["recording"], line["reason"], line.get("text")) for line in left_out] == [
        (1, "NO_SPEAKER", None),
        (1, "NOT_ALIGNED", "Good morning."),
        (2, "BAD_TEXT_FILE", None),
        (3, "BAD_TEXT_FILE", None),
    ]
    assert f"{tmp_path}/bad.srt: line 1: expected times" in left_out[2]["detail"]
    assert "nobody says who speaks" in left_out[3]["detail"]
    assert report.words == 2
    assert [check.sentence for check in verify_segmentation(tmp_path / "out") if not check.holds] == []
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:05,000\nGood night.\n")
    failed = [check.sentence for check in verify_segmentation(tmp_path / "out") if not check.holds]
    assert failed == [f"3 files with texts or turns are what was read; changed: {tmp_path}/a.srt"]
    segment(manifest, tmp_path / "out", by="speaker")
    assert "Good night." in (tmp_path / "out/left_out.jsonl").read_text()
    assert [check.sentence for check in verify_segmentation(tmp_path / "out") if not check.holds] == []


def test_documentation_explains_every_reason():
    page = (ROOT / "docs/segmenting.md").read_text()
    assert [reason for reason, text in PART_REASONS.items() if f"| `{reason}` | {text} |" not in page] == []

"""Files of transcripts: every line is checked before anything is transcribed, as strictly as a manifest's."""

import json

import pytest

from winnow.corpora.line_reader import MAX_LINE
from winnow.engines.engine import Checkpoint, MissingTranscript, Request
from winnow.engines.transcript_index import index_of
from winnow.engines.transcripts import PrecomputedHypotheses
from winnow.errors import CheckpointError
from winnow.models.resolve import resolve

CONFIDENCE = "expected 0 to 1; write exp(p) for a log-probability p, and p / 100 for a percentage p"


def line(**changes):
    row = {"audio_filepath": "a.wav", "pred_text": "good morning"} | changes
    return json.dumps({name: value for name, value in row.items() if value is not ...}).encode()


@pytest.fixture
def resolved(tmp_path):
    """Resolve a file of transcripts with this content."""

    def write(content, name="theirs.jsonl"):
        (tmp_path / name).write_bytes(content)
        return resolve(str(tmp_path / name))

    return write


@pytest.fixture
def heard(resolved, tmp_path):
    """Return the text and the confidence that a file of transcripts has for each request."""

    def read(content, *requests):
        model = PrecomputedHypotheses(resolved(content))
        requests = requests or (("a.wav", None, None),)
        answers = [model.hypothesis_for(Request(str(tmp_path / path), *place)) for path, *place in requests]
        return [(answer.text, answer.confidence) for answer in answers]

    return read


REFUSED = {
    line(confidence=-0.31): f"confidence -0.31: {CONFIDENCE}",
    line(confidence=87.5): f"confidence 87.5: {CONFIDENCE}",
    line(confidence=1e300): f"confidence 1e+300: {CONFIDENCE}",
    line(confidence=10**400): f"confidence out of range: {CONFIDENCE}",
    line(confidence="high"): f"confidence a string: {CONFIDENCE}",
    line(confidence=True): f"confidence a boolean: {CONFIDENCE}",
    line(pred_text=["a", "b"]): "pred_text a list: expected a text",
    line(pred_text=0.5): "pred_text a number: expected a text",
    line(pred_text=...): "no pred_text; expected audio_filepath and pred_text",
    line(audio_filepath=...): "no audio_filepath; expected audio_filepath and pred_text",
    line(audio_filepath=""): "audio_filepath empty: expected a path",
    line(audio_filepath=7): "audio_filepath a number: expected a path",
    line(offset=-1): "offset -1.0 s: expected seconds from 0",
    line(offset="start"): "offset a string: expected seconds from 0",
    line(duration=0): "duration 0.0 s: expected seconds above 0",
    line(channel=-1): "channel -1: expected a whole number from 0",
    b"nonsense": "the line is not a JSON object (byte 4: invalid character)",
    b"[1]": "the line is not a JSON object (byte 0: expected an object, got a list)",
    b'{"a":' * 50_000: "the line is not a JSON object (byte 500: nested deeper than 100 levels)",
    line()[:-1] + b', "pred_text": "a"}': "a field occurs twice, so its value is ambiguous (another field, twice)",
    b'{"pred_text": "\xff"}': "the line is not UTF-8 (byte 15: invalid start byte)",
    line(more="a" * MAX_LINE): "the line is longer than 1 MiB",
}


@pytest.mark.parametrize("bad", REFUSED)
def test_invalid_line_is_refused_with_its_number_its_value_and_what_was_expected(resolved, tmp_path, bad):
    good = [line(audio_filepath=f"{i}.wav") for i in range(3)]
    with pytest.raises(CheckpointError) as refused:
        resolved(b"\n".join([*good[:2], bad, good[2]]))
    assert str(refused.value) == f"{tmp_path}/theirs.jsonl:3: invalid transcript: {REFUSED[bad]}"


def test_first_of_several_invalid_lines_is_named_with_their_number(resolved):
    with pytest.raises(
        CheckpointError,
        match=r"theirs.jsonl:2: invalid transcript: confidence -1: .* \(the first of 3 invalid lines\)$",
    ):
        resolved(b"\n".join([line(), line(confidence=-1), b"", b"x", line(pred_text=True)]))


ACCEPTED = {
    "byte order mark, CRLF and blank lines": b"\xef\xbb\xbf\r\n" + line() + b"\r\n\n \n",
    "no offset": line(offset=None),
    "offset of pandas": line()[:-1] + b', "offset": NaN, "confidence": NaN}',
    "badly written": line(audio_filepath=["a.wav"], offset="0.0", confidence=""),
    "other fields": line(text=None, words=[{"word": "good"}]),
    "the same line twice": line() + b"\n" + line(audio_filepath="./a.wav"),
    "an utterance that is not transcribed": line(audio_filepath="s3://bucket/a.wav") + b"\n" + line(),
    "no transcript of another": line(audio_filepath="b.wav", pred_text=None) + b"\n" + line(),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
def test_line_is_read_where_nothing_is_lost(heard, content):
    assert heard(content) == [("good morning", None)]


def test_texts_and_confidences_are_read_as_they_are_meant(heard):
    assert heard(line(pred_text=911, confidence="0.5")) == [("911", 0.5)]
    assert heard(line(pred_text="", confidence=1)) == [("", 1.0)]


def test_null_is_no_transcript(heard):
    with pytest.raises(MissingTranscript, match=r"theirs.jsonl: no transcript of \S+a.wav at 0.0 s"):
        heard(line(pred_text=None))


def test_contradicting_transcripts_are_refused(resolved):
    with pytest.raises(
        CheckpointError, match=r":2: .*: another transcript of a.wav at 0.0 s than line 1: keep one of them"
    ):
        resolved(line() + b"\n" + line(pred_text="good night"))


def test_transcripts_of_one_place_are_told_apart_by_their_durations(heard):
    content = b"\n".join([line(duration=1, pred_text="good"), line(duration=2.5), line(duration=2.5, offset=1)])
    requests = ("a.wav", None, 1.0), ("a.wav", 0.0, 2.499), ("a.wav", 1.0, 9.0)
    assert [text for text, _ in heard(content, *requests)] == ["good", "good morning", "good morning"]
    for duration in (None, 2.0):
        with pytest.raises(MissingTranscript):
            heard(content, ("a.wav", None, duration))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "theirs.json",
            b"[" + line() + b"]",
            r"a JSON array; expected a JSON object on each line with audio_filepath and ",
        ),
        (
            "theirs.csv",
            b"audio_filepath,pred_text\na.wav,good\n",
            r"a table \(CSV\); expected .*: python -c 'import csv",
        ),
        ("theirs.jsonl.gz", b"\x1f\x8b\x08", r"compressed by gzip; .*: gunzip -c theirs.jsonl.gz > theirs.jsonl"),
        ("theirs.jsonl", b"", "empty; expected"),
        (
            "theirs.jsonl",
            b'{"audio_filepath": "a.wav", "text": "good"}',
            r"text instead of pred_text; .*: jq -c '.pred_text = .text'",
        ),
    ],
)
def test_file_of_another_form_is_refused_with_what_to_do(resolved, name, content, message):
    with pytest.raises(CheckpointError, match=message):
        resolved(content, name)


def test_json_lines_are_accepted_by_the_name_that_nemo_gives_them(resolved):
    assert PrecomputedHypotheses(resolved(line(), "theirs.json")).transcripts is not None


def test_transcripts_of_the_speakers_of_a_call_are_told_apart_by_their_channels(resolved, tmp_path):
    content = line(channel=0, pred_text="hello") + b"\n" + line(channel=1, pred_text="good evening")
    model = PrecomputedHypotheses(resolved(content))
    call = str(tmp_path / "a.wav")
    answers = [model.hypothesis_for(Request(call, None, None, channel=channel)) for channel in (0, 1, None)]
    assert [answer.text for answer in answers] == ["hello", "good evening", "hello"]
    with pytest.raises(MissingTranscript, match=r"no transcript of \S+a.wav at 0.0 s, channel 2"):
        model.hypothesis_for(Request(call, None, None, channel=2))


def test_line_that_changes_after_the_file_was_checked_is_noticed(resolved, tmp_path):
    model = PrecomputedHypotheses(resolved(line(pred_text="a") + b"\n" + line(pred_text="b", audio_filepath="b.wav")))
    path = tmp_path / "theirs.jsonl"
    with path.open("r+b") as file:  # in place, as no rename does
        content = file.read()
        file.seek(content.index(b'"b"'))
        file.write(b'"c"')
    assert model.transcripts.find(str(tmp_path / "a.wav"), None, None, None)
    with pytest.raises(CheckpointError, match=r"theirs.jsonl: changed during the run"):
        model.transcripts.find(str(tmp_path / "b.wav"), None, None, None)
    with pytest.raises(CheckpointError, match=r"its sha256 was \w+, now \w+"):
        PrecomputedHypotheses(Checkpoint(name=str(path), path=path, family="transcripts", sha256="0" * 64))


def test_lines_longer_than_a_block_are_found_again(resolved, tmp_path):
    model = PrecomputedHypotheses(
        resolved(line(pred_text="long " * 3_000) + b"\n" + line(pred_text="b", audio_filepath="b.wav"))
    )
    found = [model.transcripts.find(str(tmp_path / name), None, None, None) for name in ("a.wav", "b.wav")]
    assert [len(hypothesis.text.split()) for hypothesis in found] == [3_000, 1]


def test_index_is_kept_while_its_file_is_the_same(tmp_path):
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(line())
    before = index_of(path)
    assert index_of(path) is before
    path.write_bytes(line(pred_text="good evening"))
    assert index_of(path).sha256 != before.sha256

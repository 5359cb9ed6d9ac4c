import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.lines import read
from tasks.manifest import BadManifest, digest, split
from tasks.schema import UTTERANCE, output_names


def rows_of(*lines: bytes) -> list[dict]:
    return [row for row in read(lines, Path("/audio")) if row]


def line(**changes: object) -> bytes:
    row = {"audio_filepath": "a.wav", "duration": 1.5, "text": "good morning"} | changes
    return json.dumps({k: v for k, v in row.items() if v is not ...}).encode()


def test_an_utterance_keeps_its_place_and_every_field():
    (row,) = rows_of(line(offset=2, lang="en", tags=["a"]))
    assert row == {
        "id": 1,
        "audio_filepath": "a.wav",
        "path": "/audio/a.wav",
        "offset": 2.0,
        "detail": None,
        "duration": 1.5,
        "text": "good morning",
        "fields": '{"lang":"en","tags":["a"]}',
        "reason": None,
    }


def test_an_absolute_path_stays():
    assert rows_of(line(audio_filepath="/other/a.wav"))[0]["path"] == "/other/a.wav"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"nonsense", "BAD_JSON"),
        (b'"a string"', "BAD_JSON"),
        (b'{"audio_filepath": "a.wav"', "BAD_JSON"),
        (b"[" * 100_000, "BAD_JSON"),
        (b'{"text": "\xff"}', "NOT_UTF8"),
        (b'{"text": "' + b"a" * (1 << 20) + b'"}', "LINE_TOO_LONG"),
        (line(audio_filepath=...), "NO_AUDIO_PATH"),
        (line(audio_filepath=""), "NO_AUDIO_PATH"),
        (line(audio_filepath="a\0b"), "NO_AUDIO_PATH"),
        (line(audio_filepath=7), "NO_AUDIO_PATH"),
        (line(audio_filepath="s3://bucket/a.wav"), "UNSUPPORTED_SCHEME"),
        (line(audio_filepath="sox a.wav -t wav - |"), "UNSUPPORTED_SCHEME"),
        (line(duration=-1), "BAD_DURATION"),
        (line(duration="long"), "BAD_DURATION"),
        (line(duration=True), "BAD_DURATION"),
        (line(offset=-0.5), "BAD_OFFSET"),
        (line(text=None), "BAD_TEXT"),
        (line(text=7), "BAD_TEXT"),
    ],
)
def test_a_broken_line_is_a_row_with_its_reason(broken, reason):
    good, bad, also_good = rows_of(line(), broken, line(audio_filepath="b.wav"))
    assert (bad["id"], bad["reason"]) == (2, reason)
    assert good["reason"] is None
    assert also_good["reason"] is None


def test_a_broken_row_keeps_what_could_be_read_of_it():
    (row,) = rows_of(line(duration="long", speaker="anna"))
    assert row["text"] == "good morning"
    assert json.loads(row["fields"]) == {"speaker": "anna", "duration": "long"}


def test_the_same_utterance_twice_counts_once():
    first, again, slice_ = rows_of(line(), line(text="other"), line(offset=0.5))
    assert [first["reason"], again["reason"], slice_["reason"]] == [None, "DUPLICATE_UTT", None]


def test_byte_order_mark_blank_lines_and_line_separators_are_accepted():
    lines = [b"\xef\xbb\xbf" + line() + b"\r\n", b"\r\n", "\u2028".join(["  ", " "]).encode()[:1] + b"\n"]
    lines.append(json.dumps({"audio_filepath": "b.wav", "text": "one\u2028two"}, ensure_ascii=False).encode())
    found = list(read(lines, Path("/audio")))
    assert [row and row["reason"] for row in found] == [None] * 4
    assert [row and row["id"] for row in found] == [1, None, None, 4]
    assert found[3]["text"] == "one\u2028two"


def test_shards_hold_about_the_hours_asked_for_in_order(manifest, tmp_path):
    path = manifest(*[{"audio_filepath": f"{i}.wav", "duration": 100.0, "text": "a"} for i in range(10)])
    found = split(path, tmp_path / "run", shard_hours=0.1)
    assert [pq.read_table(shard)["id"].to_pylist() for shard in found.shards] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert all(pq.read_schema(shard) == UTTERANCE for shard in found.shards)


def test_unknown_fields_get_the_simplest_type_that_holds_them(manifest, tmp_path):
    one = {"n": 1, "x": 1, "s": "a", "b": True, "mixed": 1, "list": [1], "long": 1, "huge": 2**60, "vast": 2**64}
    other = {"n": 2, "x": 2.5, "s": None, "mixed": "one", "none": None, "long": 2**60, "huge": 0.5}
    path = manifest({"audio_filepath": "a.wav", "text": "a"} | one, {"audio_filepath": "b.wav", "text": "b"} | other)
    found = split(path, tmp_path / "run", shard_hours=1)
    kinds = {"n": "integer", "x": "number", "s": "string", "b": "boolean", "mixed": "json", "list": "json"}
    assert found.fields == kinds | {"none": "string", "long": "long", "huge": "json", "vast": "json"}


def test_a_second_split_finds_the_first(manifest, tmp_path):
    path = manifest({"audio_filepath": "a.wav", "text": "a"}, b"")
    first = split(path, tmp_path / "run", 1)
    times = [shard.stat().st_mtime_ns for shard in first.shards]
    assert split(path, tmp_path / "run", 1) == first
    assert [shard.stat().st_mtime_ns for shard in first.shards] == times
    assert (first.lines, first.blank) == (2, 1)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\n\n", "no utterance in 2 lines"),
        (b"path,text\na.wav,hello\n", "no utterance in 2 lines; the first is BAD_JSON: the line is not a JSON object"),
    ],
)
def test_a_manifest_without_an_utterance_is_refused(tmp_path, content, complaint):
    (tmp_path / "corpus.jsonl").write_bytes(content)
    with pytest.raises(BadManifest, match=complaint):
        split(tmp_path / "corpus.jsonl", tmp_path / "run", 1)


def test_a_manifest_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadManifest, match=r"corpus.jsonl: no manifest that can be read \(No such file"):
        digest(tmp_path / "corpus.jsonl")


def test_a_corpus_whose_audio_is_not_mounted_is_refused_at_once(manifest, tmp_path):
    path = manifest(*[{"audio_filepath": f"{i}.wav", "text": "a"} for i in range(3)], tones=False)
    with pytest.raises(BadManifest, match=r"3 of the first 3 audio files are missing, \S+/0.wav to begin with"):
        split(path, tmp_path / "run", 1)


def test_a_field_named_like_one_of_ours_keeps_its_value_under_another_name():
    fields = ["id", "input_id", "speaker", "input_input_id", "pred_text"]
    assert list(output_names(fields).values()) == [
        "input_input_input_id",
        "input_id",
        "speaker",
        "input_input_id",
        "input_pred_text",
    ]

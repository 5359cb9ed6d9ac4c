"""Rows 1 to 7, 9, 11, 12 and 18 of the table of faults, and generated manifests: no line is lost or repeated.

WINNOW_EXAMPLES is how many manifests are generated, the same ones every time.
"""

import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tasks.shard import shard
from tests.conftest import published_rows
from tests.in_process import curate
from tests.test_nemo_jsonl import as_utterances, line, rows_of
from winnow.corpora.field_types import infer_types, merge_types
from winnow.corpora.line_reader import MAX_LINE
from winnow.corpora.nemo_jsonl.parse_line import parse_line
from winnow.corpora.nemo_jsonl.sharding import cut_shards
from winnow.corpora.nemo_jsonl.source import NemoJsonl
from winnow.corpora.registry import open_source
from winnow.errors import ManifestError
from winnow.parameters.redaction import redact_bytes
from winnow.schema import MENDINGS, QUARANTINE_REASONS, UTTERANCE

EXAMPLES = int(os.environ.get("WINNOW_EXAMPLES", "100"))
OURS = ("audio_filepath", "offset", "duration", "text")
OF_UTTERANCES = (
    *("NO_AUDIO_PATH", "UNSUPPORTED_SCHEME", "BAD_CHANNEL", "BAD_OFFSET", "BAD_DURATION", "BAD_TEXT"),
    "DUPLICATE_UTT",
)
NULLS = dict.fromkeys(UTTERANCE.names)
UTF_16 = line().decode().encode("utf-16-le")

Row = dict[str, Any]
Answer = tuple[str | None, str | None]
"""The reason and the detail."""

# the lines of each fault, with the expected detail or row

ROW_1 = {
    b"nonsense": "byte 4: invalid character",
    b"{": "byte 1: input data was truncated",
    line()[:-20]: "byte 48: input data was truncated",
    line() + b"}": "byte 69: trailing characters",
    line() + line(): "byte 69: trailing characters",
    b'{"text": "a\tb"}': "byte 11: invalid character",
    b"{'text': 1}": "byte 1: object keys must be strings",
    b'{"text": "my password" my password}': "byte 23: expected ',' or '}'",
    b'{"duration": -NaN}': "byte 14: invalid character",
    b'{"duration": NaN, "text": 1e999}': "byte 26: number out of range",
    b'{"duration": NaN, "text": "a" "b"}': "byte 30: expected ',' or '}'",
    b'{"duration": nan}': "byte 17: invalid character",
    b'{"duration": +Infinity}': "byte 13: invalid character",
    b"{NaN: 1}": "byte 1: object keys must be strings",
    b"NaN": "byte 0: expected an object, got null",
    b'{"text": "1e999", "duration": 1e999}': "byte 30: number out of range",
    b'{"duration": -1' + b"0" * 400 + b".0}": "byte 13: number out of range",
    b'{"duration": ' + b"9" * 5_000 + b"}": "byte 13: integer value out of range",
    b"[" * 100_000: "byte 100: nested deeper than 100 levels",
    b'{"a":' * 50_000: "byte 500: nested deeper than 100 levels",
    b'{"text": "[[[", "a": ' + b"[" * 100 + b"]" * 100 + b"}": "byte 120: nested deeper than 100 levels",
    b'"' + b'\\"[' * 100_000: "byte 300001: input data was truncated",
    b"null": "byte 0: expected an object, got null",
    b"7": "byte 0: expected an object, got a number",
    b'"a string"': "byte 0: expected an object, got a string",
    b"[1, 2]": "byte 0: expected an object, got a list",
    b"\0": "byte 0: invalid character",
    line() + b"\r" + line(): "byte 70: trailing characters",
    b'{"\\ud8\0\0": 1}': "byte 7: invalid character in unicode escape",
}

NOT_UTF_8 = {
    b'{"text": "\xff"}': "byte 10: invalid start byte",
    b'{"a": NaN, "text": "\xff"}': "byte 20: invalid start byte",
    b'{"\xe9t\xe9": 1}': "byte 2: invalid continuation byte",
    b'{"text": "\xed\xa0\x80"}': "byte 10: invalid continuation byte",
    b'{"text": "\xc0\xaf"}': "byte 10: invalid start byte",
    b"\x80": "byte 0: invalid start byte",
    b"\xff\xfe" + UTF_16: "byte 0: invalid start byte",
}

SURROGATES = {
    rb'{"text": "\ud800"}': "byte 10: half of a surrogate pair",
    rb'{"a": NaN, "text": "\ud800"}': "byte 20: half of a surrogate pair",
    rb'{"text": "\udc00 a"}': "byte 10: half of a surrogate pair",
    rb'{"text": "\\\ud83d\ude00\ud83d\u0041"}': "byte 24: half of a surrogate pair",
    rb'{"text": "a", "tags": ["\uDFFF"]}': "byte 24: half of a surrogate pair",
    rb'{"\udead": 1}': "byte 2: half of a surrogate pair",
}

ROW_4 = {
    line(text="a" * MAX_LINE): "not read",
    b" " * (MAX_LINE + 1): "not read",
    b"\0" * (5 * MAX_LINE): "not read",
}

ROW_5 = {
    b'{"audio_filepath": "a.wav", "audio_filepath": "b.wav", "text": "a"}': "audio_filepath, twice",
    b'{"audio_filepath": "a.wav", "text": "a", "text": "a"}': "text, twice",
    b'{"duration": 1, "text": "a", "duration": 1, "a": 1}': "duration, twice",
    b'{"duration": NaN, "text": "a", "duration": 1, "a": 1}': "duration, twice",
    rb'{"text": "a", "t\u0065xt" : "b"}': "text, twice",
    b'{"key": "a", "key": null}': "another field, twice",
    b'{"a": [{"b": {"c": 1, "c": 1}}]}': "another field, twice",
    b'{"a": {"b": 1}, "a": {}}': "another field, twice",
    rb'{"text": "12:30, \":\":", "a" :1, "a" :2}': "another field, twice",
    b'{"a": ' + b"[" * 90 + b"]" * 90 + b', "a": 1' + b"0" * 4_400 + b".5e-4500}": "another field, twice",
    b'{"": 1, "": 2}': "another field, twice",
}

NO_PATH = {
    line(audio_filepath=...): ("missing", {}),
    line(audio_filepath=None): ("null", {}),
    line(audio_filepath=""): ("empty", {"fields": '{"audio_filepath":""}'}),
    line(audio_filepath=" \t"): ("empty", {"fields": '{"audio_filepath":" \\t"}'}),
    line(audio_filepath="a\0b"): ("a NUL in it", {"fields": '{"audio_filepath":"a\\u0000b"}'}),
    line(audio_filepath=7): ("a number", {"fields": '{"audio_filepath":7}'}),
    line(audio_filepath=["a.wav", "b.wav"]): ("a list", {"fields": '{"audio_filepath":["a.wav","b.wav"]}'}),
    line(audio_filepath=[]): ("a list", {"fields": '{"audio_filepath":[]}'}),
    line(audio_filepath=[7]): ("a number", {"fields": '{"audio_filepath":[7]}'}),
    b'{"audio_filepath": NaN, "duration": 1.5, "text": "good morning"}': ("null", {"mended": ["NAN_AS_NULL"]}),
    line(audio_filepath={}): ("an object", {"fields": '{"audio_filepath":{}}'}),
    line(audio_filepath=False): ("a boolean", {"fields": '{"audio_filepath":false}'}),
}

NO_FILE = {
    "ftp://example.org/a.wav": "a URL",
    "rtsp://example.org/a.wav": "a URL",
    " HTTP://example.org/a.wav": "a URL",
    "file://host/etc/passwd": "a URL",
    "FILE:etc/passwd": "a URL",
    "data:audio/wav;base64,UklGRg==": "a URL",
    "pipe:0": "a URL",
    "zip://a.wav::s3://bucket/a.zip": "a URL",
    "| touch ran": "a command",
    "  |touch ran": "a command",
    "touch ran |": "a command",
    "sox a.wav -t wav - | \n": "a command",
    "|": "a command",
}

FILES = [
    "$(touch ran).wav",
    "`touch ran`.wav",
    "a | b.wav",
    "a; touch ran",
    "12:30.wav",
    "speaker:1.wav",
    "-rf",
    "~/a.wav",
]

BAD_DURATIONS = {
    -1: "-1.0 s",
    -1e-300: "-1e-300 s",
    0: "0.0 s",
    "NaN": "a string",
    "1.5 s": "a string",
    "1_0": "a string",
    "1,5": "a string",
    "٣": "a string",
    "-1": "-1.0 s",
    "1e999": "a string",
    "00:00:01.5": "a string",
    True: "a boolean",
    10**400: "out of range",
}

BAD_OFFSETS = {-0.5: "-0.5 s", -(10**400): "out of range", "start": "a string", False: "a boolean", "-1": "-1.0 s"}

NO_TEXTS = {None: "null", 7.0: "a number", 2**63: "a number", ...: "missing", True: "a boolean"}

MENDED = {
    b'{"audio_filepath": "a.wav", "duration": 1.5, "text": "good morning", "snr": NaN}': (
        ["NAN_AS_NULL"],
        {"fields": '{"snr":null}'},
    ),
    b'{"audio_filepath": "a.wav", "duration":NaN,"text": "Infinity: NaN"}': (
        ["NAN_AS_NULL"],
        {"duration": None, "text": "Infinity: NaN"},
    ),
    b'{"audio_filepath": "a.wav", "duration": -Infinity, "text": "good morning"}': (
        ["NAN_AS_NULL"],
        {"duration": None},
    ),
    b'{"audio_filepath": "a.wav", "offset": NaN, "duration": 1.5, "text": "good morning", "a": [{"b": [Infinity]}]}': (
        ["NAN_AS_NULL"],
        {"fields": '{"a":[{"b":[null]}]}'},
    ),
    line(duration="3.2"): (["NUMBER_AS_TEXT"], {"duration": 3.2}),
    line(duration=" 3 ", offset="1e1"): (
        ["NUMBER_AS_TEXT"],
        {"duration": 3.0, "offset": 10.0, "duration_rounding": 0.5},
    ),
    line(audio_filepath="file:///data/a%20b.wav"): (
        ["FILE_URL"],
        {"audio_filepath": "/data/a b.wav", "path": "/data/a b.wav"},
    ),
    line(audio_filepath="file://localhost/a#1.wav\n"): (
        ["FILE_URL"],
        {"audio_filepath": "/a#1.wav", "path": "/a#1.wav"},
    ),
    line(duration="", offset=" "): (["EMPTY_NUMBER"], {"duration": None}),
    line(text=911): (["TEXT_AS_NUMBER"], {"text": "911"}),
    line(text=-(2**63) + 1): (["TEXT_AS_NUMBER"], {"text": "-9223372036854775807"}),
    line(audio_filepath=["b.wav"]): (["LIST_OF_ONE"], {"audio_filepath": "b.wav", "path": "/audio/b.wav"}),
    line(audio_filepath=["b.wav"], duration=["3.2"], text=[[911]]): (
        ["LIST_OF_ONE", "NUMBER_AS_TEXT", "TEXT_AS_NUMBER"],
        {"audio_filepath": "b.wav", "path": "/audio/b.wav", "duration": 3.2, "text": "911"},
    ),
    line(channel="1"): (["CHANNEL_AS_TEXT"], {"audio_channel": 1, "fields": '{"channel":"1"}'}),
    line(channel="B"): (["CHANNEL_AS_TEXT"], {"audio_channel": 1, "fields": '{"channel":"B"}'}),
    line(channel=[0]): (["LIST_OF_ONE"], {"audio_channel": 0, "fields": '{"channel":[0]}'}),
}
"""Badly written lines with how they are mended, and what they mean."""

MENDED_AUDIO = {"FILE_NAME", "CHANNELS_CANCEL"}
"""What is mended when the audio is read; see tests/test_audio_formats.py and tests/test_file_names.py."""

CHANNELS = {
    line(channel=1): {"audio_channel": 1, "fields": '{"channel":1}'},
    line(channel=1.0): {"audio_channel": 1, "fields": '{"channel":1.0}'},
    line(channel_selector=0): {"audio_channel": 0, "fields": '{"channel_selector":0}'},
    line(channel=1, channel_selector=1): {"audio_channel": 1, "fields": '{"channel":1,"channel_selector":1}'},
    line(channel=None): {"fields": '{"channel":null}'},
    line(channel_selector="average"): {"fields": '{"channel_selector":"average"}'},
    line(channel="telephone"): {"fields": '{"channel":"telephone"}'},
    line(channel={"id": 7}): {"fields": '{"channel":{"id":7}}'},
}

BAD_CHANNELS = {
    line(channel=-1): "channel -1",
    line(channel=0.5): "channel 0.5",
    line(channel=2**31): "channel 2147483648",
    line(channel=[0, 1]): "a list",
    line(channel=0, channel_selector=1): "channel and channel_selector differ",
}


@pytest.fixture
def rows_among_good(tmp_path):
    """Parse lines among good ones; return their rows after checking that the good rows are the same without them."""

    def lines(*bad: bytes, **options: Any) -> list[Row]:
        good = [line(audio_filepath=f"good/{i}.wav") for i in range(len(bad) + 1)]
        mixed = [part for pair in zip(good, bad, strict=False) for part in pair] + good[-1:]
        rows = rows_of(tmp_path / "mixed.jsonl", b"\n".join(mixed), **options)
        assert [row.pop("id") for row in rows] == list(range(1, len(mixed) + 1))
        good_rows = rows_of(tmp_path / "good.jsonl", b"\n".join(good))
        assert [row | {"id": i} for i, row in enumerate(rows[::2], 1)] == good_rows
        return rows[1::2]

    return lines


def expected_faults(reason: str, details: Any) -> list[Row]:
    """Return rows with a reason and a detail and nothing else."""
    rows = [NULLS | {"reason": reason, "detail": detail} for detail in details]
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


def expected_row(name: str | None = "a.wav", **changes: Any) -> Row:
    """Return the row of `line()` in the folder /audio, with some columns changed."""
    row = {column: None for column in UTTERANCE.names if column != "id"}
    row |= {"audio_filepath": name, "path": name and f"/audio/{name}", "duration": 1.5}
    return row | {"text": "good morning", "fields": "{}"} | changes


def test_row_1_malformed_json_is_described_without_quoting_it(rows_among_good):
    assert rows_among_good(*ROW_1) == expected_faults("BAD_JSON", ROW_1.values())


def test_row_2_invalid_utf_8_is_quarantined(rows_among_good):
    assert rows_among_good(*NOT_UTF_8) == expected_faults("NOT_UTF8", NOT_UTF_8.values())


def test_row_2_lone_surrogate_is_quarantined(rows_among_good):
    assert rows_among_good(*SURROGATES) == expected_faults("LONE_SURROGATE", SURROGATES.values())


def test_row_3_byte_order_marks_line_ends_blank_lines_and_separators_are_accepted(tmp_path):
    names = [line(audio_filepath=f"{i}.wav") for i in range(6)]
    separated = json.dumps({"audio_filepath": "6.wav", "text": "a\u2028b\u2029c\x85d"}, ensure_ascii=False).encode()
    lines = [
        b"\xef\xbb\xbf" + names[0] + b"\r",
        names[1] + b"\r\r",
        b"",
        b"\r",
        b" \t\x0b\x0c",
        b"\xef\xbb\xbf",
        names[2],
    ]
    lines += [b"\xef\xbb\xbf \t" + names[3], b"\t " + names[4] + b" ", names[5], separated]
    rows = rows_of(tmp_path / "corpus.jsonl", b"\n".join(lines))
    good = [expected_row(f"{i}.wav") for i in range(6)]
    good.append(expected_row("6.wav", duration=None, text="a\u2028b\u2029c\x85d"))
    assert rows == [{"id": id_} | row for id_, row in zip([1, 2, 7, 8, 9, 10, 11], good, strict=True)]


def test_row_4_line_over_the_limit_is_not_parsed(rows_among_good):
    whole = line(note="a" * (MAX_LINE - len(line(note=""))))
    assert len(whole) == MAX_LINE
    assert rows_among_good(*ROW_4, whole)[:-1] == expected_faults("LINE_TOO_LONG", ROW_4.values())
    assert rows_among_good(whole)[0]["reason"] is None


def test_row_4_line_over_the_limit_is_never_held_in_memory(tmp_path):
    path = tmp_path / "corpus.jsonl"
    with path.open("wb") as file:
        file.write(line() + b"\n" + b'{"text": "')
        for _ in range(64):
            file.write(b"a" * MAX_LINE)
        file.write(b'"}\n' + line(audio_filepath="b.wav"))
    tracemalloc.start()
    source = NemoJsonl(str(path), "/audio")
    rows = [row for shard in source.shards(1) for row in source.rows(shard.locator)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.get("reason") for row in rows] == [None, "LINE_TOO_LONG", None]
    assert peak < 8 * MAX_LINE


def test_row_5_repeated_key_is_quarantined(rows_among_good):
    assert rows_among_good(*ROW_5) == expected_faults("DUPLICATE_KEY", ROW_5.values())


def test_row_5_colons_and_equal_keys_of_other_objects_are_accepted(rows_among_good):
    fine = [{"text": "12:30 \": ' {}"}, {"words": [{"word": "a"}, {"word": "b"}]}, {"text": ":", "a": {"text": ":"}}]
    assert [
        row["reason"] for row in rows_among_good(*[line(audio_filepath=f"{i}", **row) for i, row in enumerate(fine)])
    ] == [None] * len(fine)


def test_row_6_only_the_first_of_equal_utterances_is_used(tmp_path):
    lines = [
        line(text=None),
        line(),
        line(text="other"),
        line(audio_filepath="./a.wav", text="other"),
        line(audio_filepath="/audio//a.wav", lang="en"),
        line(duration=1.50),
        line(duration=1),
        line(duration=1.0),
        line(offset=0),
        line(offset=-0.0),
        line(offset=0.5),
        line(duration=None),
        line(duration=...),
        line(audio_filepath="b/../a.wav"),
        line(audio_filepath="A.wav"),
        b"nonsense",
        b"nonsense",
        line(offset=None),
        line(channel=0),
        line(channel_selector="1"),
        line(channel=1),
        line(audio_filepath=["a.wav"], duration="1.5", offset=""),
        line(audio_filepath="file:///audio/a.wav"),
        line()[:-1] + b', "snr": NaN}',
    ]
    first = {4: 3, 5: 2, 6: 2, 8: 7, 9: 2, 10: 2, 13: 12, 18: 2, 21: 20, 22: 2, 23: 2, 24: 2}
    for hours in (1e6, 1e-9):
        rows = rows_of(tmp_path / "corpus.jsonl", b"\n".join(lines), hours)
        duplicates = {row["id"]: row["detail"] for row in rows if row["reason"] == "DUPLICATE_UTT"}
        assert duplicates == {id_: f"as line {other}" for id_, other in first.items()}
        assert {row["id"]: row["same_audio"] for row in rows if row["same_audio"]} == {2: 2, 3: 2}
        assert rows[4] == {"id": 5} | expected_row(
            "/audio//a.wav", path="/audio/a.wav", fields='{"lang":"en"}', reason="DUPLICATE_UTT", detail="as line 2"
        )


def test_row_6_misplaced_line_breaks_do_not_shift_other_lines(tmp_path):
    broken = b'{"text":\n"one"}'
    lines = [line() + line(), line(audio_filepath="b.wav"), broken, line(audio_filepath="b.wav")]
    rows = rows_of(tmp_path / "corpus.jsonl", b"\n".join(lines), 1e6)
    reasons = ["BAD_JSON", None, "BAD_JSON", "BAD_JSON", "DUPLICATE_UTT"]
    assert [(row["id"], row["reason"]) for row in rows] == list(enumerate(reasons, 1))


def test_row_7_missing_or_invalid_path_is_quarantined(rows_among_good):
    assert rows_among_good(*NO_PATH) == [
        expected_row(None, reason="NO_AUDIO_PATH", detail=detail) | rest for detail, rest in NO_PATH.values()
    ]


def test_row_7_urls_pipes_and_commands_are_never_run(rows_among_good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert rows_among_good(*[line(audio_filepath=path) for path in NO_FILE]) == [
        expected_row(path, path=None, reason="UNSUPPORTED_SCHEME", detail=detail) for path, detail in NO_FILE.items()
    ]
    assert rows_among_good(*[line(audio_filepath=path) for path in FILES]) == [expected_row(path) for path in FILES]
    assert not (tmp_path / "ran").exists()


def test_row_9_invalid_duration_is_quarantined(rows_among_good):
    assert rows_among_good(*[line(duration=value) for value in BAD_DURATIONS]) == [
        expected_row(duration=None, fields=msgspec.json.encode({"duration": value}).decode())
        | {"reason": "BAD_DURATION", "detail": detail}
        for value, detail in BAD_DURATIONS.items()
    ]


def test_row_9_missing_duration_is_accepted(rows_among_good):
    lines = [line(duration=...), line(duration=None, audio_filepath="b.wav")]
    assert rows_among_good(*lines) == [expected_row(duration=None), expected_row("b.wav", duration=None)]


def test_row_11_invalid_offset_is_quarantined(rows_among_good):
    assert rows_among_good(*[line(offset=value) for value in BAD_OFFSETS]) == [
        expected_row(fields=json.dumps({"offset": value}).replace(" ", ""), reason="BAD_OFFSET", detail=detail)
        for value, detail in BAD_OFFSETS.items()
    ]


@pytest.mark.parametrize(("existing", "refused"), [(0, True), (49, True), (50, False), (100, False)])
def test_row_12_corpus_whose_audio_is_not_mounted_is_refused_at_once(tmp_path, existing, refused):
    (tmp_path / "corpus.jsonl").write_bytes(
        b"\n".join([b"nonsense", *[line(audio_filepath=f"{i}.wav") for i in range(100)]])
    )
    for i in range(existing):
        (tmp_path / f"{i}.wav").touch()
    if not refused:
        assert shard(open_source(tmp_path / "corpus.jsonl"), tmp_path / "run", 1).lines == 101
        return
    with pytest.raises(
        ManifestError, match=rf"{100 - existing} of the first 100 audio files are missing, such as \S+:"
    ) as bad:
        shard(open_source(tmp_path / "corpus.jsonl"), tmp_path / "run", 1)
    assert bad.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_row_12_only_the_first_200_files_are_checked(tmp_path):
    path = tmp_path / "corpus.jsonl"
    for i in range(100):
        (tmp_path / f"{i}.wav").touch()
    path.write_bytes(b"\n".join(line(audio_filepath=f"{i}.wav") for i in range(1_000)))
    assert shard(open_source(path), tmp_path / "run", 1).lines == 1_000
    (tmp_path / "0.wav").unlink()
    with pytest.raises(ManifestError, match=r"101 of the first 200 audio files are missing, such as \S+/0.wav:"):
        shard(open_source(path), tmp_path / "other", 1)


def test_row_18_missing_or_invalid_text_is_quarantined(rows_among_good):
    kept = [{} if value in (None, ...) else {"text": value} for value in NO_TEXTS]
    assert rows_among_good(*[line(text=value) for value in NO_TEXTS]) == [
        expected_row(text=None, fields=json.dumps(rest).replace(" ", ""), reason="BAD_TEXT", detail=detail)
        for rest, detail in zip(kept, NO_TEXTS.values(), strict=True)
    ]


def parse_alone(line_: bytes) -> Row:
    """Return the row of a line, without the id that other lines would give it."""
    (row,) = as_utterances([{"id": 0} | parse_line(line_, "/audio")])
    del row["id"]
    return row


def test_badly_written_values_are_read_where_nothing_is_lost():
    assert [parse_alone(line_) for line_ in MENDED] == [
        expected_row(mended=mended) | rest for mended, rest in MENDED.values()
    ]
    assert {mending for mended, _ in MENDED.values() for mending in mended} == set(MENDINGS) - MENDED_AUDIO


def test_infinite_offset_is_not_the_whole_file(rows_among_good):
    (row,) = rows_among_good(line()[:-1] + b', "offset": Infinity}')
    assert (row["reason"], row["detail"]) == ("BAD_OFFSET", "infinite")


def test_channel_is_read_as_nemo_and_lhotse_write_it():
    assert [parse_alone(line_) for line_ in CHANNELS] == [expected_row(**changes) for changes in CHANNELS.values()]


def test_invalid_channel_is_quarantined(rows_among_good):
    rows = rows_among_good(*BAD_CHANNELS)
    assert [(row["reason"], row["detail"]) for row in rows] == [("BAD_CHANNEL", why) for why in BAD_CHANNELS.values()]


def test_first_of_several_faults_is_the_reason(rows_among_good):
    faults = {"audio_filepath": None, "offset": -1, "duration": 0, "text": None}
    expected = ["NO_AUDIO_PATH", "BAD_OFFSET", "BAD_DURATION", "BAD_TEXT"]
    lines = [line(**dict(list(faults.items())[i:])) for i in range(4)]
    assert [row["reason"] for row in rows_among_good(*lines)] == expected


def test_credentials_are_redacted(rows_among_good):
    hidden, detail = "https://***@host/a.wav?token=***", "a URL with credentials, which belong into the environment"
    secret = hidden.replace("***", "s3cret")
    rows = rows_among_good(line(audio_filepath=secret), line(source=secret, text=secret), line(audio_filepath=[secret]))
    assert rows == [
        expected_row(hidden, path=None, reason="UNSUPPORTED_SCHEME", detail=detail),
        expected_row(text=hidden, fields=f'{{"source":"{hidden}"}}'),
        expected_row(None, fields=f'{{"audio_filepath":["{hidden}"]}}', reason="UNSUPPORTED_SCHEME", detail=detail),
    ]


def test_each_fault_in_a_manifest_costs_only_its_line(manifest, hears, tmp_path):
    bad = [*ROW_1, *NOT_UTF_8, *SURROGATES, *ROW_4, *ROW_5, *NO_PATH]
    bad += [line(audio_filepath=path) for path in NO_FILE]
    bad += [line(duration=value) for value in BAD_DURATIONS] + [line(text=value) for value in NO_TEXTS]
    good = [line(audio_filepath=f"{i}.wav", duration=1.0) for i in range(20)]
    for i in range(20):
        manifest({"audio_filepath": f"{i}.wav"})
    corpus = manifest(*good[:10], *bad, b"", *good[10:])
    models = hears(small={f"{i}.wav": "good morning" for i in range(20)})
    report = curate(manifest=corpus, output=tmp_path / "run", shard_hours=300 / 3600, max_quarantined=1, **models)
    assert (report.lines, report.blank, report.kept, report.dropped) == (len(bad) + 21, 1, 20, 0)
    assert {reason: share.utterances for reason, share in report.reasons.items()} == {
        "BAD_JSON": len(ROW_1),
        "NOT_UTF8": len(NOT_UTF_8),
        "LONE_SURROGATE": len(SURROGATES),
        "LINE_TOO_LONG": len(ROW_4),
        "DUPLICATE_KEY": len(ROW_5),
        "NO_AUDIO_PATH": len(NO_PATH),
        "UNSUPPORTED_SCHEME": len(NO_FILE),
        "BAD_DURATION": len(BAD_DURATIONS),
        "BAD_TEXT": len(NO_TEXTS),
    }
    assert [row["id"] for row in published_rows(tmp_path / "run")] == [
        i for i in range(1, len(bad) + 22) if i != len(bad) + 11
    ]
    assert not any(b"password" in path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())


# Generated manifests: lines of every kind, joined in every way

PATHS = [
    "a.wav",
    "./a.wav",
    "/audio/a.wav",
    "/audio//a.wav",
    "b/c.wav",
    "b/./c.wav",
    "/b.wav",
    "",
    "|",
    "s3://a",
    "a\0",
]
NAMES = st.sampled_from(["audio_filepath", "offset", "duration", "text", "lang", ""]) | st.text(max_size=3)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, 2**53 + 1, 2**64, 10**30, -1, 1e308, True])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def encode_json(value: Any, ascii_: bool, space: str) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_, separators=(f"{space},", f"{space}:{space}")).encode(
        "utf-8", "replace"
    )


UTTERANCES = st.fixed_dictionaries(
    {"audio_filepath": st.sampled_from(PATHS), "text": st.sampled_from(["one", 'two: "2"', "\u2028é", 1])},
    optional={
        "duration": st.sampled_from([1.5, 1, None, 2, "1.5", [1.5], ""]) | NUMBERS,
        "offset": st.sampled_from([0, 0.0, None, 1, "1", [0]]) | NUMBERS,
        "channel": st.sampled_from([0, 1, 1.0, "1", "A", None, [0, 1], "far", -1]),
        "more": VALUES,
    },
)
OBJECTS = UTTERANCES | st.dictionaries(NAMES, VALUES, max_size=5)
ENCODED = st.builds(encode_json, OBJECTS, st.booleans(), st.sampled_from(["", " "]))


@st.composite
def doubled_objects(draw: Any) -> bytes:
    """Draw two objects written as a single one, so that some keys are repeated."""
    return draw(ENCODED)[:-1] + b"," + draw(ENCODED)[1:]


@st.composite
def mutated_lines(draw: Any) -> bytes:
    """Draw a good line in which some bytes are replaced, removed or inserted."""
    line_ = bytearray(draw(ENCODED))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line_)))
        line_[at : at + draw(st.integers(0, 4))] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    return bytes(line_)


PIECES = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b"\xe2\x80\xa8",
]
PIECES += [rb"\ud800", rb"\udc00", rb"\u0000", rb"\ud83d\ude00", b"NaN", b"1e999", b"-", b"9" * 5_000, b"[" * 101]
LINES = st.one_of(
    ENCODED,
    ENCODED,
    doubled_objects(),
    mutated_lines(),
    st.binary(max_size=40),
    st.sampled_from([b"", b" ", b"\t\x0b", b"\xef\xbb\xbf", b"\xef\xbb\xbf ", b"null", b" " * 400, b"x" * 900]),
    st.builds(lambda n: b'{"a":' * n + b"1" + b"}" * n, st.sampled_from([3, 99, 100, 101, 2_000])),
    st.builds(lambda row, n: row[:-1] + b" " * n + b"}", ENCODED, st.integers(0, 400)),
)
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"\n\r\n", b"\r", b"\xef\xbb\xbf\n"])
MANIFESTS = st.builds(
    lambda parts, end, mark: mark + b"".join(a + b for a, b in parts) + end,
    st.lists(st.tuples(LINES, ENDS), max_size=8),
    LINES | st.just(b""),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("generated") / "corpus.jsonl"


@settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    content=MANIFESTS,
    limit=st.sampled_from([60, 300, MAX_LINE]),
    block=st.sampled_from([1, 7, 64, 1 << 17]),
    seconds=st.sampled_from([0.001, 3.0, 25.0]),
)
@example(content=line(duration=2**53 + 1), limit=MAX_LINE, block=1 << 17, seconds=25.0)  # no float
@example(content=b"{}\r{}\n{} {}", limit=60, block=1 << 17, seconds=25.0)  # two objects on a line
def account_for_every_line_once(path, content, limit, block, seconds):
    whole = rows_of(path, content, limit=limit)
    lines = content.split(b"\n")
    lines = lines[:-1] if not lines[-1] else lines
    assert [row["id"] for row in whole] == [
        number for number, content_line in enumerate(lines, 1) if not is_blank(content_line, limit)
    ]
    assert {name for row in whole for name in row} <= set(UTTERANCE.names)
    seen: dict[Any, int] = {}
    for row in whole:
        check_row(row, lines[row["id"] - 1], limit, seen)
    check_slices(path, content, whole, limit, block, seconds / 3600)


def test_every_line_of_a_generated_manifest_is_accounted_for_once(path):
    account_for_every_line_once(path)
    print(f"{EXAMPLES:,} generated manifests: every line accounted for, no exception")


def without_mark(line_: bytes) -> bytes:
    return line_[3:] if line_.startswith(b"\xef\xbb\xbf") else line_


def is_blank(line_: bytes, limit: int) -> bool:
    return len(line_) <= limit and not without_mark(line_).strip(b" \t\r\n\x0b\x0c")


def check_row(row: Row, line_: bytes, limit: int, seen: dict[Any, int]) -> None:
    """Check the row against Python's own JSON, parsed strictly, and against earlier rows."""
    reason, strict = row["reason"], parse_strictly(without_mark(line_)) if len(line_) <= limit else "LINE_TOO_LONG"
    assert (reason is None) == (row["detail"] is None)
    if isinstance(strict, str):
        assert reason == strict, line_
        assert row == NULLS | {"id": row["id"], "reason": reason, "detail": row["detail"]}
        assert reason == "LINE_TOO_LONG" or re.match(r"byte \d+: |\w+, twice|another field, twice", row["detail"])
        return
    assert reason in (None, *OF_UTTERANCES)
    ours = {name: row[name] for name in OURS if row[name] is not None}
    kept = json.loads(row["fields"])
    theirs = {name: value if name in kept else meant(name, value) for name, value in strict.items()}
    theirs = {name: value for name, value in theirs.items() if value is not None or name not in OURS}
    assert kept | ours == json.loads(redact_bytes(json.dumps(without_infinity(theirs)).encode()))
    stated = {name: value for name, value in strict.items() if value is not None or name not in OURS}
    written_well = round_seconds(theirs) == round_seconds(stated)
    assert row["mended"] or reason or (written_well and not has_constant(line_))
    if reason in (None, "DUPLICATE_UTT"):
        assert isinstance(row["audio_filepath"], str)
        assert isinstance(row["text"], str)
        utterance = row["path"], row["offset"] or 0.0, row["duration"], row["audio_channel"], row["text"]
        first = seen.setdefault(utterance, row["id"])
        assert row["detail"] == (None if first == row["id"] else f"as line {first}")


def meant(name: str, value: Any) -> Any:
    """Return what a value that can be mended means."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if name == "duration" and isinstance(value, float) and not abs(value) < float("inf"):
        return None
    if name in ("offset", "duration") and isinstance(value, str):
        return float(value) if value.strip() else None
    if name in ("offset", "duration") and value is not None:
        return float(value)
    return str(value) if name == "text" and isinstance(value, int) else value


def round_seconds(fields: dict[str, Any]) -> dict[str, Any]:
    """Round whole numbers of seconds to floats, as which they are kept, unless they are out of range."""
    seconds = {name: fields[name] for name in ("offset", "duration") if type(fields.get(name)) is int}
    return fields | {name: float(value) for name, value in seconds.items() if abs(value) < 2**1023}


def without_infinity(value: Any) -> Any:
    """Replace infinities by null at any depth."""
    if isinstance(value, dict):
        return {name: without_infinity(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_infinity(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def has_constant(line_: bytes) -> bool:
    """Tell whether Python's own JSON finds a NaN or an infinity in a line."""
    found: list[str] = []
    json.loads(without_mark(line_), parse_constant=found.append)
    return bool(found)


def parse_strictly(line_: bytes) -> Any:
    """Return the object of a line, or the reason why it is not one, by other code than Winnow's."""
    try:
        text = line_.decode()
    except UnicodeDecodeError:
        return "BAD_JSON" if nests_too_deep(line_) else "NOT_UTF8"
    if nests_too_deep(line_):
        return "BAD_JSON"
    doubles = []

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        doubles.append(len(dict(members)) != len(members))
        return dict(members)

    try:
        parsed = json.loads(text, object_pairs_hook=pairs, parse_float=parse_finite, parse_constant=CONSTANTS.get)
    except ValueError:
        return "BAD_JSON"
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "LONE_SURROGATE"
    return "BAD_JSON" if not isinstance(parsed, dict) else "DUPLICATE_KEY" if any(doubles) else parsed


CONSTANTS = {"Infinity": float("inf"), "-Infinity": -float("inf")}


def parse_finite(word: str) -> float:
    if not abs(number := float(word)) < float("inf"):
        raise ValueError(word)
    return number


def nests_too_deep(line_: bytes) -> bool:
    """Tell whether brackets outside of strings are nested deeper than 100 levels."""
    depth, inside, escaped = 0, False, False
    for byte in line_:
        if inside:
            inside, escaped = escaped or byte != ord('"'), not escaped and byte == ord("\\")
        else:
            depth += (byte in b"[{") - (byte in b"]}")
            inside = byte == ord('"')
        if depth > 100:
            return True
    return False


def check_slices(path: Path, content: bytes, whole: list[Row], limit: int, block: int, hours: float) -> None:
    """Check that shards of any size, read in blocks of any size, have the same rows and no gaps."""
    slices, _ = cut_shards(path, "/audio", hours, limit, block)
    ends = [(part.start, part.end) for part in slices]
    assert [0, *[end for _, end in ends]] == [*[start for start, _ in ends], len(content)]
    assert [part.first + part.lines for part in slices[:-1]] == [part.first for part in slices[1:]]
    source = NemoJsonl(str(path), "/audio", limit=limit, block=block)
    shards = list(source.shards(hours))
    assert sum(shard.lines - shard.blank for shard in shards) == len(whole)
    parts = [as_utterances(source.rows(shard.locator)) for shard in shards]
    assert [len(rows) for rows in parts] == [shard.lines - shard.blank for shard in shards]
    assert [row for rows in parts for row in rows] == whole
    types = [infer_types(json.loads(row["fields"] or "{}") for row in rows) for rows in [whole, *parts]]
    assert list(merge_types(types[1:]).items()) == list(types[0].items())
    assert all(row["reason"] is None or row["reason"] in QUARANTINE_REASONS for row in whole)

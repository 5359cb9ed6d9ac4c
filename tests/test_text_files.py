"""Files with the text of a recording: what is read from each form, and where a bad one is wrong."""

import pytest

from winnow.segmenting.text_files.cues import BadTextFile, Cue
from winnow.segmenting.text_files.read import read_text, read_turns
from winnow.segmenting.text_files.textgrid import encode_textgrid, read_textgrid
from winnow.segmenting.turns import Turn, turns_within

SRT = """\ufeff1
00:00:01,500 --> 00:00:04,000
<i>Good</i> morning,
{\\an8}Ann.

2
01:00:00,000 --> 01:00:01,250 X1:40
Yes.
"""
VTT = """WEBVTT - talk

NOTE nobody reads this

STYLE
::cue { color: red }

intro
00:01.500 --> 00:04.000 align:start
<v Ann Lee>Q&amp;A <c.loud>now</c>
<v Bob>Yes.

01:00:00.000 --> 01:00:01.250
<00:02.000>Go.
"""
CTM = """;; made by hand
talk 1 1.50 0.25 Good 0.99
talk 1 1.75 0.5 morning
other 1 0 1 no
"""
STM = """talk 1 ann 1.5 4.0 <o,f0> Good morning
talk 1 bob 4.0 5.0 ignore_time_segment_in_scoring
talk 1 bob 5.0 6.0 Yes.
other 1 ann 0 1 no
"""
LONG_GRID = encode_textgrid(5.0, {"words": [Cue('say "hi"', 1.5, 4.0)]})
TWO_SPEAKERS = LONG_GRID.replace("size = 1", "size = 2", 1) + LONG_GRID.partition("item []:\n")[2]
SHORT_GRID = """File type = "ooTextFile"
Object class = "TextGrid"

0
5
<exists>
2
"TextTier"
"clicks"
0
5
1
2.5
"click"
"IntervalTier"
"Text"
0
5
2
0
1.5
""
1.5
4
"good
morning"
"""
RTTM = """SPEAKER talk 1 1.50 2.50 <NA> <NA> ann <NA> <NA>
SPKR-INFO talk 1 <NA> <NA> <NA> unknown ann <NA> <NA>
SPEAKER talk 1 4 1 <NA> <NA> bob <NA> <NA>
"""


@pytest.mark.parametrize(
    ("name", "content", "cues"),
    [
        ("a.txt", "Good\nmorning", [Cue("Good\nmorning")]),
        ("a.srt", SRT, [Cue("Good morning, Ann.", 1.5, 4.0), Cue("Yes.", 3600.0, 3601.25)]),
        (
            "a.vtt",
            VTT,
            [Cue("Q&A now", 1.5, 4.0, "Ann Lee"), Cue("Yes.", 1.5, 4.0, "Bob"), Cue("Go.", 3600.0, 3601.25)],
        ),
        ("a.ctm", CTM, [Cue("Good", 1.5, 1.75), Cue("morning", 1.75, 2.25)]),
        ("a.stm", STM, [Cue("Good morning", 1.5, 4.0, "ann"), Cue("Yes.", 5.0, 6.0, "bob")]),
        ("a.TextGrid", LONG_GRID, [Cue('say "hi"', 1.5, 4.0)]),
        ("a.TextGrid", SHORT_GRID, [Cue("good morning", 1.5, 4.0)]),
    ],
)
def test_text_and_times_are_read(tmp_path, name, content, cues):
    (tmp_path / name).write_text(content)
    assert read_text(tmp_path / name, "talk") == cues


@pytest.mark.parametrize(
    ("channels", "channel", "words"),
    [
        ("12", None, "one two"),
        ("12", 1, "two"),
        ("AB", 0, "one"),
        ("01", 1, "two"),
        ("11", 1, "one two"),  # a file of one channel is the recording's, whatever it calls it
    ],
)
def test_words_and_turns_are_those_of_the_channel(tmp_path, channels, channel, words):
    first, second = channels
    (tmp_path / "a.ctm").write_text(f"talk {first} 0 1 one\ntalk {second} 1 1 two\nother 1 0 1 no\n")
    (tmp_path / "a.stm").write_text(f"talk {first} ann 0 1 one\ntalk {second} bob 1 2 two\n")
    for name in "a.ctm", "a.stm":
        assert " ".join(cue.text for cue in read_text(tmp_path / name, "talk", channel)) == words
    (tmp_path / "a.rttm").write_text(
        f"SPEAKER talk {first} 0 1 <NA> <NA> one <NA> <NA>\nSPEAKER talk {second} 1 1 <NA> <NA> two <NA> <NA>\n"
    )
    assert " ".join(str(cue.speaker) for cue in read_turns(tmp_path / "a.rttm", "talk", channel)) == words


def test_channel_that_is_not_in_the_file_is_refused(tmp_path):
    (tmp_path / "a.ctm").write_text("talk 1 0 1 one\ntalk 2 1 1 two\n")
    with pytest.raises(BadTextFile, match=r"none of its channels 1, 2 is channel 2 \(from 0\)"):
        read_text(tmp_path / "a.ctm", "talk", 2)


def test_praats_utf_16_is_read(tmp_path):
    (tmp_path / "a.TextGrid").write_text(SHORT_GRID, encoding="utf-16")
    assert read_text(tmp_path / "a.TextGrid", "talk") == [Cue("good morning", 1.5, 4.0)]


def test_turns_are_read(tmp_path):
    (tmp_path / "a.rttm").write_text(RTTM)
    assert read_turns(tmp_path / "a.rttm", "talk") == [Cue("", 1.5, 4.0, "ann"), Cue("", 4.0, 5.0, "bob")]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.srt", SRT.replace("01:00:00,000", "soon"), "line 7: expected times"),
        ("a.srt", "1\nGood morning.\n", "line 1: expected times"),
        ("a.srt", "1\n00:00:04,000 --> 00:00:01,500\nGood\n", "line 2: expected a time that does not end before"),
        ("a.vtt", VTT.replace("00:01.500", "1.5"), "line 9: expected times"),
        ("a.ctm", CTM.replace("0.25", "fast"), "line 2: expected seconds, got 'fast'"),
        ("a.ctm", CTM.replace(" morning", ""), "line 3: expected FILE CHANNEL START DURATION WORD"),
        ("a.ctm", CTM.replace("talk", "third"), "has 2 recordings, and none of them is talk"),
        ("a.stm", STM.replace("1.5 4.0", "4.0 1.5"), "line 1: expected a time that does not end before"),
        ("a.TextGrid", "hello", "line 1: expected File type"),
        ("a.TextGrid", SHORT_GRID[:-12], "expected a text in quotes, got the end of the file"),
        ("a.TextGrid", SHORT_GRID.replace('"Text"', '"a"').replace("TextTier", "IntervalTier"), "expected"),
        (
            "a.TextGrid",
            SHORT_GRID.replace("<exists>\n2", "<exists>\n1e999"),
            "line 7: expected how many follow, got inf",
        ),
        ("a.TextGrid", TWO_SPEAKERS, "expected one tier of intervals, or one called text or"),
        ("a.docx", "", "expected a name that ends in .txt, .srt"),
        ("a.txt", b"good\nm\xf6rning", "line 2: not UTF-8"),
        ("none.srt", None, "No such file"),
    ],
)
def test_bad_file_is_refused_with_its_line(tmp_path, name, content, problem):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadTextFile) as error:
        read_text(tmp_path / name, "talk")
    assert problem in str(error.value)


def test_written_textgrid_has_no_gaps_and_no_overlaps():
    cues = [Cue("a", 0.0, 1.0), Cue("b", 0.5, 1.5), Cue("c", 2.0, 2.0), Cue("d", 2.0, 9.0)]
    assert read_textgrid(encode_textgrid(3.0, {"words": cues})) == [
        Cue("a", 0.0, 0.5),
        Cue("b", 0.5, 1.5),
        Cue("d", 2.0, 3.0),
    ]


@pytest.mark.parametrize(
    ("turns", "parts"),
    [
        ([], [(0, 3000, ())]),
        ([Turn(0, 3000, "ann")], [(0, 3000, ("ann",))]),
        ([Turn(300, 1000, "ann"), Turn(1200, 2600, "ann")], [(0, 3000, ("ann",))]),
        ([Turn(0, 1500, "bob"), Turn(1500, 3000, "ann")], [(0, 1500, ("bob",)), (1500, 3000, ("ann",))]),
        (
            [Turn(0, 2000, "bob"), Turn(1000, 3000, "ann")],
            [(0, 1000, ("bob",)), (1000, 2000, ("ann", "bob")), (2000, 3000, ("ann",))],
        ),
        ([Turn(0, 1000, "ann")], [(0, 1000, ("ann",)), (1000, 3000, ())]),
    ],
)
def test_time_is_divided_where_speakers_change(turns, parts):
    assert turns_within(turns, 0, 3000) == parts

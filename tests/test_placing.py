"""Where the text of a recording is placed, and what is kept apart: what nobody says, and what is not written."""

import json

import pyarrow as pa
import pytest

from winnow.schema import UTTERANCE, WORDS
from winnow.segmenting.annotations import words_of, write_ctm, write_textgrids
from winnow.segmenting.asking import ask_questions
from winnow.segmenting.chains import Run, find_chains
from winnow.segmenting.pairs import Word, pair_words
from winnow.segmenting.parts import CUT, SEGMENT, part_of
from winnow.segmenting.placing import PlaceOptions, place_texts
from winnow.segmenting.read_words import beside_pauses
from winnow.segmenting.text_files.textgrid import read_textgrid
from winnow.segmenting.text_files.time_marked import read_ctm

READ = CUT.append(pa.field("small_pred_text", pa.string())).append(pa.field("small_words", WORDS))
WORD = 400  # milliseconds

ANN = "Ann went to the market early on Monday."
BOB = "There she bought a loaf of bread and seven eggs."
CAT = "On the way home it began to rain very hard."
DAN = "Her umbrella was still standing beside the kitchen door."
TEXT = f"{ANN} {BOB} {CAT} {DAN}"


def place(
    text: str | None,
    *heard: str | list[tuple[int, str]],
    times: bool = True,
    pauses: dict[int, list[int]] | None = None,
    gap_after: dict[int, int] | None = None,
    likely: dict[tuple[int, str], float] | None = None,
    **fields: str,
) -> list[dict]:
    """Return the parts of a recording, given what was read in each of its segments, a second of silence apart.

    Words take WORD each, unless the time of each is given; `gap_after` is how long somebody speaks on, by segment. The
    model answers questions if there are `likely` sentences, by segment: by so many nats less than what was read.
    """
    row = dict.fromkeys(UTTERANCE.names)
    row |= {"id": 1, "audio_filepath": "a.wav", "path": "/a.wav", "text": text, "fields": json.dumps(fields)}
    parts, start = [], 0
    for number, read in enumerate(heard):
        words = [(n * WORD, word) for n, word in enumerate(read.split())] if isinstance(read, str) else read
        end = start + max(1_200, words[-1][0] + WORD if words else 0) + (gap_after or {}).get(number, 0)
        part = part_of(row, SEGMENT, start, end, pauses=(pauses or {}).get(number, []))
        spans = [{"word": word, "start": time / 1000, "end": (time + WORD) / 1000} for time, word in words]
        read_text = " ".join(word for _, word in words)
        parts.append(part | {"small_pred_text": read_text, "small_words": spans if times else None})
        start = end + 1000
    table = pa.Table.from_pylist(parts, READ)
    recordings = pa.Table.from_pylist([row], UTTERANCE)
    answered = None
    if likely is not None and text is not None:
        asked = ask_questions(table, recordings, options=PlaceOptions())
        sentences = [
            (row["part"], " ".join(text.split()[row["first_word"] : row["end_word"]])) for row in asked.to_pylist()
        ]
        gaps = pa.array([likely.get(sentence, 999.0) for sentence in sentences], pa.float64())
        answered = asked.append_column("small_gap", gaps)
    return place_texts(table, recordings, answered, options=PlaceOptions()).to_pylist()


def texts(parts: list[dict]) -> list[str | None]:
    return [part["text"] for part in parts if part["part"] == SEGMENT]


def rest(parts: list[dict]) -> list[tuple[str, str | None]]:
    """Return the reasons of all other parts, with their text or what was read there."""
    return [(part["reason"], part["text"] or part["pred_text"]) for part in parts if part["part"] != SEGMENT]


def plain(text: str) -> str:
    return text.lower().replace(".", "")


@pytest.mark.parametrize(
    ("times", "pauses", "expected"),
    [
        ([(0, 400), (400, 900)], [], [(0, 400), (400, 900)]),
        ([(0, 800), (800, 1000)], [300, 700], [(0, 300), (700, 1000)]),  # the second word begins after the pause
        ([(0, 500), (500, 1500)], [550, 900], [(0, 550), (900, 1500)]),  # the first word goes on until it
        ([(0, 600), (650, 1000)], [300, 500], [(0, 300), (650, 1000)]),  # times that do not meet
        ([(100, 300), (500, 800)], [50, 120, 300, 500], [(120, 300), (500, 800)]),
        ([(100, 300)], [0, 400], [(100, 100)]),
        ([(0, 1000), (1000, 1200)], [700, 800, 900, 950], [(0, 700), (950, 1200)]),  # the next word has the second one
    ],
)
def test_no_word_has_a_pause_within_it(times, pauses, expected):
    assert beside_pauses(times, pauses) == expected


@pytest.mark.parametrize("times", [True, False])
def test_segments_have_their_text_as_it_is_written(times):
    parts = place(TEXT, plain(ANN), plain(f"{BOB} {CAT}"), plain(DAN), times=times)
    assert texts(parts) == [ANN, f"{BOB} {CAT}", DAN]
    assert rest(parts) == []
    assert [part["match"] for part in parts] == [1.0] * 3
    assert [part["first_word"] for part in parts] == [0, 8, 28]


def test_misheard_words_are_placed_between_their_neighbours():
    parts = place(
        TEXT, "and went to the margin early monday", plain(BOB), "on the whey hum it began to rain", plain(DAN)
    )
    assert texts(parts) == [ANN, BOB, CAT, DAN]
    assert rest(parts) == []


def test_sentence_that_nobody_says_is_found_whole():
    parts = place(TEXT, plain(ANN), plain(f"{BOB} {DAN}"))
    assert texts(parts) == [ANN, f"{BOB} {DAN}"]
    assert rest(parts) == [("NOT_SAID", CAT)]


def test_front_matter_is_not_smeared_over_the_first_sentence():
    front = "This is a recording of the public domain, read by a volunteer on Monday."
    parts = place(f"{front} {TEXT}", *map(plain, (ANN, BOB, CAT, DAN)))
    assert texts(parts) == [ANN, BOB, CAT, DAN]
    assert rest(parts) == [("NOT_SAID", front)]


def test_speech_that_is_not_written_is_kept_apart():
    parts = place(TEXT, plain(ANN), "well where was i on the page", plain(BOB), plain(CAT), plain(DAN))
    assert texts(parts) == [ANN, BOB, CAT, DAN]
    assert rest(parts) == [("NOT_WRITTEN", "well where was i on the page")]


def test_speech_that_is_not_written_is_cut_off_at_the_pause_before_it():
    words = len(ANN.split())
    pause = [words * WORD - 90, words * WORD + 110]
    parts = place(TEXT, f"{plain(ANN)} sorry where was i", plain(BOB), plain(CAT), plain(DAN), pauses={0: pause})
    first, aside, *_ = parts
    assert texts(parts) == [ANN, BOB, CAT, DAN]
    assert (first["end_ms"], first["ends_in_speech"]) == (words * WORD + 10, False)
    assert (aside["start_ms"], aside["reason"], aside["pred_text"]) == (
        first["end_ms"],
        "NOT_WRITTEN",
        "sorry where was i",
    )
    assert aside["offset"] == first["offset"] + first["duration"]


def test_word_that_is_said_to_begin_after_its_segment_ends_with_it():
    words = plain(ANN).split()
    pause = [(len(words) - 1) * WORD - 400, (len(words) - 1) * WORD + 150]
    read = [(n * WORD, word) for n, word in enumerate([*words, *"sorry where was i".split()])]
    first, *_ = place(TEXT, read, plain(BOB), plain(CAT), plain(DAN), pauses={0: pause})
    assert first["words"][-1] == {"word": "Monday.", "start": first["duration"], "end": first["duration"]}


def test_other_words_than_the_written_ones_are_neither_placed_nor_kept():
    other = "a green bicycle stood near that old factory"
    parts = place(TEXT, plain(ANN), plain(BOB), other, plain(DAN))
    assert texts(parts) == [ANN, BOB, DAN]
    assert sorted(rest(parts)) == [("NOT_SAID", CAT), ("NOT_WRITTEN", other)]


def test_swapped_parts_of_the_text_are_placed_where_they_are_said():
    parts = place(f"{CAT} {DAN} {ANN} {BOB}", *map(plain, (ANN, BOB, CAT, DAN)))
    assert texts(parts) == [ANN, BOB, CAT, DAN]
    assert rest(parts) == []
    assert [part["first_word"] for part in parts] == [19, 27, 0, 10]


@pytest.mark.parametrize(
    ("heard", "reasons"),
    [([""], ["NOTHING_READ", "NOT_SAID"]), (["la la la la"], ["NOT_WRITTEN", "NOT_SAID"])],
)
def test_nothing_is_placed_where_nothing_of_the_text_was_read(heard, reasons):
    parts = place(ANN, *heard)
    assert [reason for reason, _ in rest(parts)] == reasons
    assert texts(parts) == []


def test_recording_without_a_text_keeps_its_segments():
    assert texts(place(None, "good morning", "good night")) == [None, None]


def test_words_have_times_within_their_segment():
    words = place(ANN, plain(ANN))[0]["words"]
    assert [word["word"] for word in words] == ANN.split()
    assert (words[0]["start"], words[1]["start"], words[-1]["end"]) == (0.0, 0.4, 3.2)


def test_text_without_spaces_is_placed_by_its_characters():
    parts = place("今天天气很好。我们去公园散步吧。", "今天天气很好", "我们去公园散步吧", lang="zh")
    assert texts(parts) == ["今天天气很好。", "我们去公园散步吧。"]
    assert rest(parts) == []


def test_dashes_and_hyphens_stay_with_their_words():
    text = "“Twenty-one,” he said — and left the room — at once."
    parts = place(text, "twenty one he said", "and left the room at once")
    assert " ".join(texts(parts)) == text


def test_the_longest_chains_are_found_first():
    read, written = "x a b c d e f y".split(), "d e f z a b c d e f".split()
    assert find_chains(read, written) == [[(1, 4, 6)]]


def test_words_of_a_run_that_another_chain_has_used_are_taken_from_it_alone():
    written = [f"word{number}" for number in range(40)]
    read = written[:20] + ["other"] * 101 + written[16:]
    assert find_chains(read, written) == [[Run(121, 16, 24)], [Run(0, 0, 16)]]


def test_phrase_of_a_longer_run_is_not_taken_out_of_its_middle():
    """What was read has it twice, once where a chain goes on that is found before the longer run."""
    start, rest = ([f"{name}{number}" for number in range(20)] for name in ("one", "two"))
    long = [*(f"three{number}" for number in range(6)), *"there is rain".split(), *(f"four{n}" for n in range(6))]
    read = [*start, *"there is rain".split(), *rest, *(f"other{number}" for number in range(101)), *long]
    written = [*start, *long, *rest]
    places = pair_words([*map(Word, read)], [*map(Word, written)])
    assert places == [*range(20), *[None] * 3, *range(35, 55), *[None] * 101, *range(20, 35)]


def test_unwritten_sentence_that_begins_as_the_next_one_does_is_apart_from_its_beginning():
    """Nobody pauses before it, but there a sentence of the text ends."""
    read = [*map(Word, "call ann how far is rome how far is lima turn left".split())]
    written = [Word(word, ends=word in ("ann", "lima")) for word in "call ann how far is lima turn left".split()]
    assert pair_words(read, written) == [0, 1, None, None, None, None, *range(2, 8)]


def test_words_that_the_model_skipped_are_placed_if_somebody_speaks_there():
    """The segment is as long as both sentences, but only one of them was read in it."""
    parts = place(TEXT, plain(ANN), plain(CAT), plain(DAN), gap_after={0: 10 * WORD})
    assert texts(parts) == [f"{ANN} {BOB}", CAT, DAN]
    assert rest(parts) == []


def test_long_speech_in_which_nothing_was_read_is_kept_apart():
    words = plain(f"{ANN} {BOB}").split()
    spans = [(number * WORD + (5_000 if number >= 8 else 0), word) for number, word in enumerate(words)]
    parts = place(f"{ANN} {BOB}", spans)
    assert texts(parts) == [ANN, BOB]
    assert [part["reason"] for part in parts] == [None, "NOTHING_READ", None]
    assert parts[1]["end_ms"] - parts[1]["start_ms"] == 5_000


def test_sentence_of_a_word_that_was_not_read_is_not_said():
    parts = place(f"{ANN} Stop. {BOB}", plain(f"{ANN} {BOB}"))
    assert texts(parts) == [f"{ANN} {BOB}"]
    assert rest(parts) == [("NOT_SAID", "Stop.")]


def test_misread_sentence_is_placed_if_the_model_finds_it_likely():
    heard = [plain(ANN), plain(BOB), "victor sold a red bicycle", plain(DAN)]
    assert texts(place(TEXT, *heard, likely={})) == [ANN, BOB, DAN]
    parts = place(TEXT, *heard, likely={(2, CAT): 20.0})
    assert texts(parts) == [ANN, BOB, CAT, DAN]
    assert rest(parts) == []


def test_sentence_is_placed_where_the_model_skipped_it():
    parts = place(TEXT, plain(ANN), plain(f"{BOB} {DAN}"), likely={(1, CAT): 20.0})
    assert texts(parts) == [ANN, f"{BOB} {CAT} {DAN}"]


def test_sentence_is_placed_in_a_segment_in_which_nothing_was_read():
    parts = place(TEXT, plain(ANN), plain(BOB), "", plain(DAN), likely={(2, CAT): 20.0})
    assert texts(parts) == [ANN, BOB, CAT, DAN]


def test_sentence_that_is_alike_to_what_is_said_is_not_placed_if_the_model_finds_it_unlikely():
    alike = "on the way back it started to snow very hard"
    heard = [plain(ANN), plain(BOB), alike, plain(DAN)]
    assert texts(place(TEXT, *heard, likely={(2, CAT): 20.0})) == [ANN, BOB, CAT, DAN]
    parts = place(TEXT, *heard, likely={})
    assert texts(parts) == [ANN, BOB, DAN]
    assert sorted(rest(parts)) == [("NOT_SAID", CAT), ("NOT_WRITTEN", alike)]


@pytest.mark.parametrize("misread", ["victor sold a red bicycle", ""])
def test_of_two_sentences_the_likelier_is_placed(misread):
    heard = [plain(ANN), misread, plain(DAN)]
    parts = place(TEXT, *heard, likely={(1, BOB): 40.0, (1, CAT): 20.0, (1, f"{BOB} {CAT}"): 70.0})
    assert texts(parts) == [ANN, CAT, DAN]
    assert rest(parts) == [("NOT_SAID", BOB)]


def test_nothing_is_asked_about_what_was_read_as_it_is_written():
    row = dict.fromkeys(UTTERANCE.names) | {"id": 1, "text": ANN}
    part = part_of(row, SEGMENT, 0, 4000) | {"small_pred_text": plain(ANN), "small_words": None}
    asked = ask_questions(
        pa.Table.from_pylist([part], READ), pa.Table.from_pylist([row], UTTERANCE), options=PlaceOptions()
    )
    assert len(asked) == 0


@pytest.mark.parametrize(("time", "place"), [(None, 0), (0, 0), (90_000, 6), (900_000, 0)])
def test_words_are_placed_near_their_rough_times(time, place):
    written = [Word(word, time=(n * 10_000, n * 10_000)) for n, word in enumerate("a b c d e f a b c d e f".split())]
    read = [Word(word, time=None if time is None else (time, time)) for word in "a b c d e f".split()]
    assert pair_words(read, written)[0] == place


def test_words_are_written_as_ctm_and_textgrids(tmp_path):
    parts = place(f"{ANN} {BOB}", plain(ANN), plain(BOB))
    parts = [part | {"audio_filepath": "my talks/talk 1.opus", "audio_channel": 1} for part in parts]
    content = write_ctm(tmp_path / "words.ctm", parts).read_text()
    assert content.splitlines()[:2] == [
        "00001-talk_1 2 0.000 0.400 Ann",
        "00001-talk_1 2 0.400 0.400 went",
    ]
    (file,) = write_textgrids(tmp_path, parts)
    assert file.name == "00001-talk_1.TextGrid"
    read, written = read_ctm(content, "00001-talk_1"), [cue for part in parts for cue in words_of(part)]
    assert [(cue.text, cue.start, cue.end) for cue in read] == [
        (cue.text, pytest.approx(cue.start), pytest.approx(cue.end)) for cue in written
    ]
    assert [cue.text for cue in read_textgrid(file.read_text())] == [ANN, BOB]

"""Write the manifest of segments, and the list of all other parts; count both."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from winnow.runs.shard_files import read_table
from winnow.runs.storage import write_atomically
from winnow.segmenting.parts import SEGMENT, SILENCE, Part
from winnow.segmenting.record import LEFT_OUT, MANIFEST, Amount, SegmentReport
from winnow.segmenting.recordings import TEXT_FILE, TURNS_FILE
from winnow.text.words import split_words

PLACE = ("audio_filepath", "offset", "duration", "text")
OWN = ("recording", "segment", "ends_in_speech", "match", "first_word", "words")
"""Fields of a line of the manifest, besides those of the recording."""


@dataclass
class Counts:
    """What was written so far."""

    recordings: int = 0
    milliseconds: int = 0
    words: int = 0
    ending_in_speech: int = 0
    segments: Amount = field(default_factory=Amount)
    silence: Amount = field(default_factory=Amount)
    left_out: dict[str, Amount] = field(default_factory=dict)

    def add(self, part: Part) -> None:
        milliseconds, words = milliseconds_of(part), words_in(part["text"])
        if part["part"] == SEGMENT:
            self.segments = self.segments.plus(milliseconds, words)
            self.ending_in_speech += bool(part["ends_in_speech"])
        elif part["part"] == SILENCE:
            self.silence = self.silence.plus(milliseconds, words)
        else:
            before = self.left_out.get(part["reason"], Amount())
            self.left_out[part["reason"]] = before.plus(milliseconds, words)


def write_files(output: Path, placed: list[Path], loaded: list[Path], lengths: dict[int, int]) -> SegmentReport:
    """Write both files from the shards of parts and recordings; `lengths` are in milliseconds, by id."""
    counts = Counts()
    with ExitStack() as files:
        manifest = files.enter_context(write_atomically(output / MANIFEST))
        rest = files.enter_context(write_atomically(output / LEFT_OUT))
        for shard, recordings in zip(placed, loaded, strict=True):
            for row in read_table(recordings, columns=["id", "text"]).to_pylist():
                counts.recordings += 1
                counts.words += words_in(row["text"])
                counts.milliseconds += lengths.get(row["id"], 0)
            for part, number in numbered(read_table(shard).to_pylist()):
                counts.add(part)
                if part["part"] == SEGMENT:
                    manifest.write(msgspec.json.encode(segment_line(part, number)) + b"\n")
                else:
                    rest.write(msgspec.json.encode(other_line(part)) + b"\n")
    return SegmentReport(
        recordings=counts.recordings,
        milliseconds=counts.milliseconds,
        words=counts.words,
        segments=counts.segments,
        ending_in_speech=counts.ending_in_speech,
        silence=counts.silence,
        left_out=dict(sorted(counts.left_out.items())),
    )


def numbered(parts: Iterable[Part]) -> Iterator[tuple[Part, int]]:
    """Yield parts with the number of the segment in its recording, from 1, or of the one before other parts."""
    recording, number = None, 0
    for part in parts:
        if part["id"] != recording:
            recording, number = part["id"], 0
        number += part["part"] == SEGMENT
        yield part, number


def segment_line(part: Part, number: int) -> dict[str, Any]:
    """Return a line of a NeMo manifest, with an absolute path and every field of the recording."""
    line = {
        "audio_filepath": part["found_path"] or part["path"],
        "offset": part["offset"],
        "duration": part["duration"],
    }
    if part["text"] is not None:
        line["text"] = part["text"]
    given = msgspec.json.decode(part["fields"] or "{}")
    own = {"speaker"} if part["speaker"] is not None else set()
    line |= {output_name(name, own): value for name, value in given.items() if name not in (TEXT_FILE, TURNS_FILE)}
    line |= {name: part[name] for name in own}
    line |= {"recording": part["id"], "segment": number, "ends_in_speech": part["ends_in_speech"]}
    if part["text"] is not None:
        line |= {name: part[name] for name in ("match", "first_word", "words")}
    return line


def output_name(field: str, own: Collection[str]) -> str:
    """Return the name of a recording's field in the manifest; one that has the name of our own gets another."""
    name = field
    while name.startswith("input_"):
        name = name.removeprefix("input_")
    return f"input_{field}" if name in {*PLACE, *OWN, *own} else field


def other_line(part: Part) -> dict[str, Any]:
    """Return a line for a part that is no segment: where it is, why it is none, and its text."""
    place = {} if part["start_ms"] is None else {"offset": part["offset"], "duration": part["duration"]}
    text = {} if part["text"] is None else {"text": part["text"], "first_word": part["first_word"]}
    read = {} if part["pred_text"] is None else {"pred_text": part["pred_text"]}
    reason = {"part": part["part"], "reason": part["reason"], "detail": part["detail"]}
    path = part["found_path"] or part["path"] or part["audio_filepath"]
    return {"audio_filepath": path, **place, **text, **read, **reason, "recording": part["id"]}


def milliseconds_of(part: Part) -> int:
    return 0 if part["start_ms"] is None else int(part["end_ms"] - part["start_ms"])


def words_in(text: str | None) -> int:
    """Count the words of a text as it is written."""
    return len(split_words(text or ""))

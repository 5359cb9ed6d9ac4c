"""The lines of a file of transcripts, read as strictly as a manifest's."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from winnow.corpora.faults import BadUtterance
from winnow.corpora.line_reader import strip_line
from winnow.corpora.mending import parse_or_mend
from winnow.corpora.strict_json import decode_line
from winnow.corpora.utterance import (
    parse_channels,
    parse_duration,
    parse_offset,
    parse_path,
    parse_seconds,
    parse_text,
    resolve_path,
)
from winnow.schema import QUARANTINE_REASONS
from winnow.text.hypothesis import Hypothesis

SAME_DURATION = 0.01  # seconds
CONFIDENCE = "0 to 1; write exp(p) for a log-probability p, and p / 100 for a percentage p"

Place = tuple[str, float, int]
"""Path, offset and channel of an utterance; a mono file is its channel 0."""


class Transcript(NamedTuple):
    """A hypothesis, the duration and the audio that its line states, and where in the file the line starts."""

    hypothesis: Hypothesis
    duration: float | None
    audio: str
    start: int


class Transcripts:
    """The transcripts of one place, which differ in their durations."""

    def __init__(self) -> None:
        self._all: list[Transcript] = []

    def add(self, transcript: Transcript) -> Transcript | None:
        """Add a transcript; return the one that contradicts it, if there is one."""
        for other in self._all:
            if other.duration == transcript.duration:
                return other if other.hypothesis != transcript.hypothesis else None
        self._all.append(transcript)
        return None

    def find(self, duration: float | None) -> Hypothesis | None:
        """Return the hypothesis of an utterance; None if there is none, or if it cannot be told from others."""
        found = self._all
        if len(found) > 1:
            found = [transcript for transcript in found if is_same_duration(transcript.duration, duration)]
        return found[0].hypothesis if len(found) == 1 else None


def place_of(path: str, offset: float | None, channel: int | None) -> Place:
    return os.path.normpath(path), offset or 0.0, channel or 0


def is_same_duration(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) < SAME_DURATION


def parse_transcript(folder: Path, start: int, line: bytes | None) -> tuple[Place, Transcript] | None:
    """Return the transcript of a line and its place; raise BadUtterance, whose detail is a sentence, if it is not one.

    `start` is where in its file the line begins; relative paths of audio begin in the folder. A line whose `pred_text`
    is null has no transcript, and one with a URL is of an utterance that is not transcribed.
    """
    if line is None:
        raise BadUtterance("LINE_TOO_LONG", QUARANTINE_REASONS["LINE_TOO_LONG"])
    try:
        fields, _ = decode_line(strip_line(line))
    except BadUtterance as fault:
        raise BadUtterance(fault.reason, f"{QUARANTINE_REASONS[fault.reason]} ({fault.detail})") from None
    for name in ("audio_filepath", "pred_text"):
        if name not in fields:
            raise BadUtterance("BAD_TEXT", f"no {name}; expected audio_filepath and pred_text")
    try:
        audio = parse_field(fields, "audio_filepath", parse_path, "a path")
    except BadUtterance as fault:
        if fault.reason == "UNSUPPORTED_SCHEME":
            return None
        raise
    offset = parse_field(fields, "offset", parse_offset, "seconds from 0")
    duration = parse_field(fields, "duration", parse_duration, "seconds above 0")
    confidence = parse_field(fields, "confidence", parse_confidence, CONFIDENCE)
    text = parse_field(fields, "pred_text", lambda value: None if value is None else parse_text(value), "a text")
    try:
        channel = parse_channels(fields, [])
    except BadUtterance as fault:
        raise BadUtterance(fault.reason, f"{fault.detail}: expected a whole number from 0") from None
    if text is None:
        return None
    place = place_of(resolve_path(str(folder), audio), offset, channel)
    return place, Transcript(Hypothesis(text, confidence=confidence), duration, audio, start)


def parse_field(fields: dict[str, Any], name: str, parse: Any, expected: str) -> Any:
    """Parse a field as a manifest's; raise BadUtterance with its value and what was expected."""
    mended_as = {"pred_text": "text", "confidence": "duration"}.get(name, name)
    try:
        return parse_or_mend(mended_as, fields.get(name), parse, [])
    except BadUtterance as fault:
        raise BadUtterance(fault.reason, f"{name} {fault.detail}: expected {expected}") from None


def parse_confidence(value: object) -> float | None:
    """Return a confidence; None if it is not stated."""
    confidence = parse_seconds(value, "NONFINITE_SCORE")
    if confidence is not None and not 0 <= confidence <= 1:
        raise BadUtterance("NONFINITE_SCORE", f"{confidence:g}")
    return confidence

"""The lines of a file of transcripts, read as strictly as a manifest's, and all before anything is transcribed."""

import io
import os
from pathlib import Path
from typing import Any, NamedTuple

from winnow.corpora.faults import BadUtterance
from winnow.corpora.forms import TRANSCRIPTS, describe, detect_form
from winnow.corpora.line_reader import is_blank, read_lines, strip_line
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
from winnow.errors import CheckpointError
from winnow.schema import QUARANTINE_REASONS
from winnow.text.hypothesis import Hypothesis

SAME_DURATION = 0.01  # seconds
CONFIDENCE = "0 to 1; write exp(p) for a log-probability p, and p / 100 for a percentage p"

Place = tuple[str, float, int]
"""Path, offset and channel of an utterance; a mono file is its channel 0."""


class Transcript(NamedTuple):
    """A hypothesis, the duration that its line states, and the number of the line."""

    hypothesis: Hypothesis
    duration: float | None
    line: int


class Transcripts:
    """Hypotheses by path, offset and channel and, where one place has several, by duration."""

    def __init__(self) -> None:
        self._first: dict[Place, Transcript] = {}
        self._further: dict[Place, list[Transcript]] = {}

    def add(self, place: Place, transcript: Transcript) -> int | None:
        """Add a transcript; return the line that contradicts it, if there is one."""
        for other in self._at(place):
            if other.duration == transcript.duration:
                return other.line if other.hypothesis != transcript.hypothesis else None
        if place in self._first:
            self._further.setdefault(place, []).append(transcript)
        else:
            self._first[place] = transcript
        return None

    def find(self, path: str, offset: float | None, duration: float | None, channel: int | None) -> Hypothesis | None:
        """Return the hypothesis of an utterance; None if there is none, or if it cannot be told from others."""
        found = self._at(place_of(path, offset, channel))
        if len(found) > 1:
            found = [transcript for transcript in found if is_same_duration(transcript.duration, duration)]
        return found[0].hypothesis if len(found) == 1 else None

    def _at(self, place: Place) -> list[Transcript]:
        first = self._first.get(place)
        return [first, *self._further.get(place, [])] if first else []


def place_of(path: str, offset: float | None, channel: int | None) -> Place:
    return os.path.normpath(path), offset or 0.0, channel or 0


def is_same_duration(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) < SAME_DURATION


def check_transcripts(path: Path) -> None:
    """Raise CheckpointError unless the file has transcripts, and nothing but transcripts."""
    try:
        if form := detect_form(path, TRANSCRIPTS):
            raise CheckpointError(describe(path, form, TRANSCRIPTS))
        read_transcripts(path, path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the transcripts: {error.strerror}") from error


def read_transcripts(path: Path, content: bytes) -> Transcripts:
    """Parse the content of a file; relative paths of audio start where the file lies.

    Raises CheckpointError with the first line that is not a transcript, and the number of such lines.
    """
    transcripts, first_fault, faults = Transcripts(), "", 0
    for number, line in enumerate(read_lines(io.BytesIO(content).readline), 1):
        if line is not None and is_blank(line):
            continue
        try:
            add_line(transcripts, path.parent, number, line)
        except BadUtterance as fault:
            first_fault = first_fault or f"{path}:{number}: invalid transcript: {fault.detail}"
            faults += 1
    if faults:
        raise CheckpointError(first_fault if faults == 1 else f"{first_fault} (the first of {faults:,} invalid lines)")
    return transcripts


def add_line(transcripts: Transcripts, folder: Path, number: int, line: bytes | None) -> None:
    """Add the transcript of a line; raise BadUtterance, whose detail is a sentence, if it is not one.

    A line whose `pred_text` is null has no transcript, and one with a URL is of an utterance that is not transcribed.
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
            return
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
        return
    transcript = Transcript(Hypothesis(text, confidence=confidence), duration, number)
    other = transcripts.add(place_of(resolve_path(str(folder), audio), offset, channel), transcript)
    if other is not None:
        place = f"{audio} at {offset or 0.0} s"
        raise BadUtterance("DUPLICATE_UTT", f"another transcript of {place} than line {other}: keep one of them")


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

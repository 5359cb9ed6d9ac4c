"""The parts of recordings: segments, silence, what is left out, and text that is nowhere in the audio."""

from typing import Any

import pyarrow as pa

from winnow.schema import UTTERANCE, WORDS, extend_schema

SEGMENT, SILENCE, LEFT_OUT, UNPLACED = "segment", "silence", "left out", "unplaced"

CUT = extend_schema(
    UTTERANCE,
    ("part", pa.string()),  # SEGMENT, SILENCE or LEFT_OUT
    ("start_ms", pa.int64()),  # milliseconds from the beginning of the recording; null if it could not be read
    ("end_ms", pa.int64()),
    ("ends_in_speech", pa.bool_()),  # whether it was cut where nothing pauses
    ("speaker", pa.string()),  # whose turn it is; null if recordings are not cut by speaker
    ("pauses", pa.list_(pa.int64())),  # start and end of each pause within a segment, in milliseconds like start_ms
)
"""Recordings after they were cut. The `id` is that of the recording; `offset` and `duration` are those of the part.

Only segments have no `reason`, so that a pass transcribes these rows as they are.
"""

PLACED = extend_schema(
    CUT,
    ("first_word", pa.int64()),  # place of the first word of `text` in the text of the recording, from 0
    ("match", pa.float64()),  # share of the words that were read as they are written
    ("pred_text", pa.string()),  # as a model read the segment
    ("words", WORDS),  # seconds from the start of the segment
)
"""Parts of recordings with what they have of its text; a part UNPLACED has a text and no place in the audio."""

PART_REASONS = {
    "SILENCE": "nobody speaks",
    "SHORT_SPEECH": "speech that is shorter than the shortest segment, and not near to other speech",
    "SEVERAL_SPEAKERS": "several people speak at once, in recordings that are cut by speaker",
    "NO_SPEAKER": "speech that is in nobody's turn, in recordings that are cut by speaker",
    "BAD_TEXT_FILE": "a file with the text or the turns of a recording is missing or not of its form",
    "NOTHING_READ": "the model read nothing, though somebody seems to speak",
    "NOT_WRITTEN": "speech that is not in the text",
    "NOT_SAID": "text that is not in the speech",
    "MISMATCH": "speech and text have too few words in common",
    "NOT_ALIGNED": "text of a recording that was cut without it, because no model was given",
}
"""Why a part of a recording is no segment, besides the reasons for quarantine."""

Part = dict[str, Any]


def part_of(row: Part, kind: str, start: int, end: int, **values: object) -> Part:
    """Return a part of a recording, given its row or that of another part, and milliseconds from its beginning."""
    beginning = (row.get("offset") or 0.0) - (row.get("start_ms") or 0) / 1000
    place = {
        "offset": round(beginning + start / 1000, 6),
        "duration": (end - start) / 1000,
        "duration_rounding": None,
        "text": None,
    }
    return (
        row | place | {"part": kind, "start_ms": start, "end_ms": end, "ends_in_speech": False, "pauses": None} | values
    )


def unreadable(row: Part, reason: str, detail: str | None) -> Part:
    """Return what is left out of a recording that cannot be read: all of it."""
    return row | {"text": None, "part": LEFT_OUT, "reason": reason, "detail": detail}

"""A line of a NeMo manifest as a row, and what tells its utterance from others."""

import hashlib

from winnow.corpora.faults import BadUtterance
from winnow.corpora.line_reader import strip_line
from winnow.corpora.strict_json import decode_line
from winnow.corpora.utterance import Row, parse_utterance


def parse_line(line: bytes | None, folder: str, referenced: bool = True) -> Row:
    """Return the row of a line that is not blank, without its `id`; None is a line over the limit."""
    try:
        if line is None:
            raise BadUtterance("LINE_TOO_LONG", "not read")
        fields, mended = decode_line(strip_line(line))
        return parse_utterance(fields, folder, referenced, mended)
    except BadUtterance as fault:
        return {"reason": fault.reason, "detail": fault.detail}


def utterance_key(row: Row) -> bytes:
    """Return 16 bytes for the audio of an utterance (path, offset, duration and channel), and 16 for its text.

    An offset of 0 is the same as none.
    """
    audio = row["path"], row["offset"] or 0.0, row["duration"], row.get("audio_channel")
    return digest_of(repr(audio).encode()) + digest_of(repr(row["text"]).encode())


def digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()

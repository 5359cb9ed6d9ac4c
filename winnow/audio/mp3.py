"""MP3 without decoding it: the tag in its first frame, which alone states a length, and where another file begins."""

import re
from dataclasses import dataclass

from winnow.audio.safe_open import AudioFile, find_bytes

TAGS = (re.compile(rb"Xing\0\0\0[\0-\x0f]"), re.compile(rb"Info\0\0\0[\0-\x0f]"))
FRAME_HEADER = re.compile(rb"\xff[\xe2-\xff][\x10-\xef][^\xff]")
TAG_PLACES = (36, 21, 13, 38, 23, 15)  # bytes from the start of a frame to its tag, by version, channels and checksum
FIRST_FRAME = 1_024  # bytes after an ID3 tag within which the first frame begins
ID3_V1 = 128  # bytes of an ID3v1 tag at the end of a file
STATES_FRAMES, STATES_BYTES = 1, 2


@dataclass(frozen=True)
class Mp3Layout:
    """What an MP3 states of itself in a tag.

    `states_length`: how many frames it has, which the file does not contradict. `complete`: the file has the stated
    bytes and no more. `end`: the byte after its frames, where something comes after them. `appended`: the byte at which
    another MP3 begins.
    """

    states_length: bool = False
    complete: bool = False
    end: int | None = None
    appended: int | None = None


def mp3_layout(file: AudioFile, start: int = 0) -> Mp3Layout:
    """Examine an MP3 that begins at a byte of the file."""
    audio = skip_id3(file, start)
    tag = find_tag(file, audio)
    if tag is None:
        return Mp3Layout()
    if tag > audio + FIRST_FRAME:  # of another file
        return Mp3Layout(end=frame_of(file, tag), appended=frame_of(file, tag))
    if end := stated_end(file, tag):
        left = file.size - end
        if left <= ID3_V1:
            return Mp3Layout(states_length=True, complete=left >= 0)
        after = skip_id3(file, end)
        if FRAME_HEADER.match(file.read_at(4, after)):
            return Mp3Layout(states_length=True, end=end, appended=after)
    another = find_tag(file, tag + 1)
    return Mp3Layout(end=frame_of(file, another), appended=frame_of(file, another)) if another else Mp3Layout()


def skip_id3(file: AudioFile, start: int = 0) -> int:
    """Return the byte after the ID3v2 tags at a byte of the file."""
    while (head := file.read_at(10, start)).startswith(b"ID3") and len(head) == 10:
        start += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return start


def find_tag(file: AudioFile, start: int) -> int | None:
    found = [find_bytes(file, tag, start) for tag in TAGS]
    return min((place for place in found if place is not None), default=None)


def frame_of(file: AudioFile, tag: int) -> int:
    """Return the byte at which the frame of a tag begins."""
    before = file.read_at(min(tag, max(TAG_PLACES)), max(0, tag - max(TAG_PLACES)))
    return next((tag - place for place in TAG_PLACES if FRAME_HEADER.match(before[-place:])), tag)


def stated_end(file: AudioFile, tag: int) -> int | None:
    """Return the byte after the last frame by a tag that states the number of frames and of bytes."""
    fields = file.read_at(16, tag)
    if len(fields) < 16 or fields[7] & STATES_FRAMES == 0 or fields[7] & STATES_BYTES == 0:
        return None
    return frame_of(file, tag) + int.from_bytes(fields[12:16], "big")

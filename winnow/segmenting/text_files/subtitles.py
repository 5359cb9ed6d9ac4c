"""Subtitles: SubRip (`.srt`) and WebVTT (`.vtt`)."""

import re
from collections.abc import Iterator
from html import unescape
from itertools import groupby

from winnow.segmenting.text_files.cues import BadTextFile, Cue, check_times

TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
TIMES = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}(?:\s.*)?")
SPEAKER = re.compile(r"<v(?:\.\S*)?\s+([^>]+)>")
MARKS = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
NO_CUES = ("WEBVTT", "NOTE", "STYLE", "REGION")


def read_subtitles(content: str) -> list[Cue]:
    """Return the cues of a file; raises BadTextFile for a block without times.

    Marks such as italics are left out; `<v Ann>` says who speaks, up to the next one.
    """
    numbered = list(enumerate(content.splitlines(), 1))
    blocks = [
        list(block) for is_blank, block in groupby(numbered, key=lambda line: not line[1].strip()) if not is_blank
    ]
    return [cue for number, block in enumerate(blocks) for cue in cues_of(block, is_first=number == 0)]


def cues_of(block: list[tuple[int, str]], is_first: bool) -> Iterator[Cue]:
    """Yield the cues of a block: one for each speaker."""
    line, first = block[0]
    if first.startswith(NO_CUES[:1] if is_first else NO_CUES) and not any("-->" in text for _, text in block):
        return
    timed = next((number for number, (_, text) in enumerate(block[:3]) if "-->" in text), None)
    match = TIMES.fullmatch(block[timed][1]) if timed is not None else None
    if timed is None or match is None:
        line = line if timed is None else block[timed][0]
        raise BadTextFile(line, "expected times such as 00:00:01,500 --> 00:00:04,000")
    start, end = (seconds(*match.groups()[at : at + 4]) for at in (0, 4))
    check_times(start, end, block[timed][0])
    before, *spoken = SPEAKER.split(" ".join(text for _, text in block[timed + 1 :]))
    for speaker, text in [(None, before), *zip(spoken[::2], spoken[1::2], strict=True)]:
        if words := " ".join(unescape(MARKS.sub("", text)).split()):
            yield Cue(words, start, end, unescape(speaker.strip()) if speaker else None)


def seconds(hours: str | None, minutes: str, whole: str, part: str) -> float:
    return 3600 * int(hours or 0) + 60 * int(minutes) + float(f"{whole}.{part}")

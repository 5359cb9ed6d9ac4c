"""NIST's files of fields between spaces: words (`.ctm`), segments with their text (`.stm`) and speakers (`.rttm`)."""

from collections.abc import Iterator

from winnow.segmenting.text_files.cues import BadTextFile, Cue, check_times, number

NOT_SCORED = "ignore_time_segment_in_scoring"
GAP = "inter_segment_gap"


def read_ctm(content: str, name: str, channel: int | None = None) -> list[Cue]:
    """Return the words of the recording `name`, or of one channel from 0 of it; raises BadTextFile."""
    cues = []
    for line, fields in own_lines(content, name, channel, least=5, expected="FILE CHANNEL START DURATION WORD"):
        start = number(fields[2], line)
        cues.append(Cue(fields[4], start, start + number(fields[3], line)))
    return in_order(cues)


def read_stm(content: str, name: str, channel: int | None = None) -> list[Cue]:
    """Return the segments of the recording `name` that have a text; raises BadTextFile."""
    cues = []
    for line, fields in own_lines(content, name, channel, least=5, expected="FILE CHANNEL SPEAKER START END TEXT"):
        start, end = number(fields[3], line), number(fields[4], line)
        check_times(start, end, line)
        words = fields[6:] if len(fields) > 5 and fields[5].startswith("<") else fields[5:]
        if words and words[0].lower() != NOT_SCORED and fields[2] != GAP:
            cues.append(Cue(" ".join(words), start, end, fields[2]))
    return in_order(cues)


def read_rttm(content: str, name: str, channel: int | None = None) -> list[Cue]:
    """Return who speaks when in the recording `name`, without a text; raises BadTextFile."""
    turns = []
    for line, fields in lines_of(content):
        if fields[0] != "SPEAKER":
            continue
        if len(fields) < 8:
            raise BadTextFile(line, "expected SPEAKER FILE CHANNEL START DURATION <NA> <NA> NAME")
        turns.append((line, fields[1:]))
    cues = []
    for line, fields in of_recording(turns, name, channel):
        start = number(fields[2], line)
        cues.append(Cue("", start, start + number(fields[3], line), fields[6]))
    return in_order(cues)


def own_lines(content: str, name: str, channel: int | None, least: int, expected: str) -> list[tuple[int, list[str]]]:
    """Return the lines of a recording, each with its number and fields."""
    lines = list(lines_of(content))
    for line, fields in lines:
        if len(fields) < least:
            raise BadTextFile(line, f"expected {expected}")
    return of_recording(lines, name, channel)


def lines_of(content: str) -> Iterator[tuple[int, list[str]]]:
    """Yield lines that are no comments, each with its number and fields."""
    for line, text in enumerate(content.splitlines(), 1):
        if text.strip() and not text.lstrip().startswith((";;", "#")):
            yield line, text.split()


def of_recording(lines: list[tuple[int, list[str]]], name: str, channel: int | None) -> list[tuple[int, list[str]]]:
    """Return the lines of one recording: those with its name, or all if the file has only one.

    With a channel, its lines only, unless the recording has lines of a single channel.
    """
    names = {fields[0] for _, fields in lines}
    if name not in names and len(names) > 1:
        raise BadTextFile(None, f"has {len(names):,} recordings, and none of them is {name}")
    own = [(line, fields) for line, fields in lines if fields[0] == name or name not in names]
    channels = {fields[1] for _, fields in own}
    if channel is None or len(channels) < 2:
        return own
    known = {each for each in channels if channel_number(each, "0" in channels) == channel}
    if not known:
        raise BadTextFile(None, f"none of its channels {', '.join(sorted(channels)[:5])} is channel {channel} (from 0)")
    return [(line, fields) for line, fields in own if fields[1] in known]


def channel_number(value: str, from_zero: bool) -> int | None:
    """Return the number from 0 of a channel that is written as A, B or, from 1, as a number."""
    if value.isdecimal():
        return int(value) - (not from_zero)
    return "AB".index(value.upper()) if value.upper() in ("A", "B") else None


def in_order(cues: list[Cue]) -> list[Cue]:
    return sorted(cues, key=lambda cue: (cue.start or 0.0, cue.end or 0.0))

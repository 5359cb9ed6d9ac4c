"""Words with their times in forms that other programs read: one `.ctm` for all recordings, a `.TextGrid` for each.

Times count from the beginning of the audio file, as `offset` does.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath

from winnow.runs.storage import put, write_atomically
from winnow.segmenting.parts import SEGMENT, Part
from winnow.segmenting.text_files.cues import Cue
from winnow.segmenting.text_files.textgrid import encode_textgrid

CTM, TEXTGRIDS = "words.ctm", "textgrids"
LONGEST_NAME = 200  # bytes of a file's name that are in that of its TextGrid, which has up to 255


def write_ctm(path: Path, parts: Iterable[Part]) -> Path:
    """Write all words, each with the name of its recording, its channel, and start and duration in seconds."""
    with write_atomically(path) as file:
        for part in parts:
            for cue in words_of(part):
                start, end = cue.start or 0.0, cue.end or 0.0
                channel = 1 if part["audio_channel"] is None else part["audio_channel"] + 1
                line = f"{name_of(part)} {channel} {start:.3f} {end - start:.3f} {cue.text}\n"
                file.write(line.encode())
    return path


def write_textgrids(folder: Path, parts: Iterable[Part]) -> list[Path]:
    """Write a file for each recording that has segments, with tiers of segments and of words; return them."""
    files = []
    for _, group in groupby(parts, key=lambda part: part["id"]):
        own = [part for part in group if part["part"] == SEGMENT]
        if own:
            end = max(part["offset"] + part["duration"] for part in own)
            tiers = {
                "segments": [
                    Cue(part["text"] or "", part["offset"], part["offset"] + part["duration"]) for part in own
                ],
                "words": [cue for part in own for cue in words_of(part)],
            }
            files.append(put(folder / f"{name_of(own[0])}.TextGrid", encode_textgrid(end, tiers).encode()))
    return files


def words_of(part: Part) -> Iterator[Cue]:
    """Yield the words of a segment."""
    for word in (part["words"] or ()) if part["part"] == SEGMENT and part["text"] is not None else ():
        start, end = part["offset"] + word["start"], part["offset"] + word["end"]
        texts = word["word"].split()
        step = (end - start) / max(1, len(texts))
        yield from (Cue(text, start + n * step, start + (n + 1) * step) for n, text in enumerate(texts))


def name_of(part: Part) -> str:
    """Return the name of a recording: its line in the corpus, and the name of its file without spaces and ending."""
    stem = "_".join(PurePosixPath(part["audio_filepath"]).stem.split())
    return f"{part['id']:05}-{stem.encode()[:LONGEST_NAME].decode(errors='ignore')}"

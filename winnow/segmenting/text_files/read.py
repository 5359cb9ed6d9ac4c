"""Read a file with the text of a recording, by the end of its name."""

from collections.abc import Callable
from pathlib import Path

from winnow.segmenting.text_files.cues import BadTextFile, Cue
from winnow.segmenting.text_files.subtitles import read_subtitles
from winnow.segmenting.text_files.textgrid import read_textgrid
from winnow.segmenting.text_files.time_marked import read_ctm, read_rttm, read_stm

MOST_BYTES = 64 * 2**20

READERS: dict[str, Callable[[str, str, int | None], list[Cue]]] = {
    ".txt": lambda content, *_: [Cue(content)],
    ".srt": lambda content, *_: read_subtitles(content),
    ".vtt": lambda content, *_: read_subtitles(content),
    ".textgrid": lambda content, *_: read_textgrid(content),
    ".ctm": read_ctm,
    ".stm": read_stm,
}
"""By the end of a name in small letters: what reads the content, given the recording's name and its channel from 0."""


def read_text(file: Path, recording: str, channel: int | None = None) -> list[Cue]:
    """Return the text of a recording in its parts; raises BadTextFile, also for a file that cannot be read."""
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise BadTextFile(None, f"expected a name that ends in {', '.join(READERS)}")
    return reader(content_of(file), recording, channel)


def read_turns(file: Path, recording: str, channel: int | None = None) -> list[Cue]:
    """Return who speaks when in a recording; raises BadTextFile."""
    return read_rttm(content_of(file), recording, channel)


def content_of(file: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its mark, as Praat writes it."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadTextFile(None, error.strerror or str(error)) from error
    if len(content) > MOST_BYTES:
        raise BadTextFile(None, f"more than {MOST_BYTES // 2**20} MiB")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding).replace("\0", "")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadTextFile(line, f"not {encoding.removesuffix('-sig').upper()}") from error

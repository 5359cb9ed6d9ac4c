"""Lines of a NeMo manifest that other manifests do not have.

Two lines are the same utterance if path, offset, duration, channel and text are equal, whatever their other fields;
lines that are not utterances are the same if their bytes are.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from winnow.corpora.line_reader import MAX_LINE, is_blank, rest_of_line
from winnow.corpora.nemo_jsonl.parse_line import digest_of, parse_line, utterance_key
from winnow.corpora.source import unreadable


def known_lines(manifests: Iterable[Path], folder: str, referenced: bool = True) -> set[bytes]:
    """Return the identity of every line of some manifests."""
    return {identity(line, folder, referenced)[0] for manifest in manifests for line, _ in whole_lines(manifest)}


def new_lines(manifest: Path, known: set[bytes], folder: str, referenced: bool = True) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines whose identity is not known, and whether each is an utterance.

    Relative paths start at `folder`. With `referenced`, a line without a text is not an utterance. A last line that is
    neither ended nor an utterance is being written, and not new yet.
    """
    for line, ended in whole_lines(manifest):
        if not is_blank(line):
            digest, usable = identity(line, folder, referenced)
            if digest not in known and (usable or ended):
                yield line, usable


def identity(line: bytes, folder: str, referenced: bool) -> tuple[bytes, bool]:
    """Return bytes that tell a line from others, and whether it is an utterance."""
    row = parse_line(line if len(line) <= MAX_LINE + 1 else None, folder, referenced)
    usable = row["reason"] is None
    return utterance_key(row) if usable else digest_of(line), usable


def whole_lines(manifest: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield each line with an end, and whether it has one; of a line over the limit only the beginning."""
    try:
        with manifest.open("rb") as file:
            while line := file.readline(MAX_LINE + 1):
                last = line
                if len(line) > MAX_LINE and not line.endswith(b"\n"):
                    for piece in rest_of_line(file.readline):
                        last = piece
                yield line if line.endswith(b"\n") else line + b"\n", last.endswith(b"\n")
    except OSError as error:
        raise unreadable(manifest, error) from error

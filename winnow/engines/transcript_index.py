"""An index of a file of transcripts: where the lines of each place are, in 20 bytes of memory a line.

All lines are checked before anything is transcribed. A line is read again when its transcript is asked for.
"""

import hashlib
import os
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import xxhash

from winnow.corpora.faults import BadUtterance
from winnow.corpora.forms import TRANSCRIPTS, describe, detect_form
from winnow.corpora.line_reader import is_blank, read_lines
from winnow.digests import sha256_of
from winnow.engines.transcript_lines import Place, Transcript, Transcripts, parse_transcript, place_of
from winnow.errors import CheckpointError
from winnow.text.hypothesis import Hypothesis

PIECE = 1 << 12  # bytes that are read for a line at first
INDEXES = 8  # files whose index is kept

Fault = tuple[int, str]
"""The number of a line, and what is wrong with it."""


class TranscriptIndex:
    """Where the lines of each place are in a file of transcripts, which stays open; `sha256` is that of the file.

    Raises CheckpointError with the first line that is not a transcript, and the number of such lines.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._descriptor = path, os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        hashes, starts, checks = array("Q"), array("q"), array("I")
        digest, faults = hashlib.sha256(), list[Fault]()
        for number, start, line in lines_of(self._descriptor, digest.update):
            if line is not None and is_blank(line):
                continue
            try:
                parsed = parse_transcript(path.parent, start, line)
            except BadUtterance as fault:
                faults.append((number, fault.detail or ""))
                continue
            if parsed and line is not None:
                hashes.append(hash_of(parsed[0]))
                starts.append(start)
                checks.append(xxhash.xxh32_intdigest(line))
        self.sha256 = digest.hexdigest()
        places = np.array(hashes, np.uint64)
        order = np.argsort(places, kind="stable")
        self._hashes, self._starts = places[order], np.array(starts, np.int64)[order]
        self._checks = np.array(checks, np.uint32)[order]
        faults += self._contradictions()
        if faults:
            number, detail = min(faults)
            first = f"{path}:{number}: invalid transcript: {detail}"
            raise CheckpointError(
                first if len(faults) == 1 else f"{first} (the first of {len(faults):,} invalid lines)"
            )

    def find(self, path: str, offset: float | None, duration: float | None, channel: int | None) -> Hypothesis | None:
        """Return the hypothesis of an utterance; None if there is none, or if it cannot be told from others."""
        place, transcripts = place_of(path, offset, channel), Transcripts()
        begin = bisect_left(self._hashes, hash_of(place))
        for found, transcript in self._transcripts(begin):
            if found == place:
                transcripts.add(transcript)
        return transcripts.find(duration)

    def _transcripts(self, begin: int) -> Iterator[tuple[Place, Transcript]]:
        """Yield the transcripts whose places have the same hash as this one, in the order of their lines."""
        for position in range(begin, len(self._hashes)):
            if self._hashes[position] != self._hashes[begin]:
                return
            yield self._read(position)

    def _contradictions(self) -> Iterator[Fault]:
        """Yield the lines that have another text than an earlier line of the same place and duration."""
        repeated = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        for begin in repeated[np.diff(repeated, prepend=-2) != 1].tolist():
            places: dict[Place, Transcripts] = {}
            for place, transcript in self._transcripts(begin):
                other = places.setdefault(place, Transcripts()).add(transcript)
                if other is not None:
                    where = f"{transcript.audio} at {place[1]} s"
                    detail = f"another transcript of {where} than line {self._number(other)}: keep one of them"
                    yield self._number(transcript), detail

    def _number(self, transcript: Transcript) -> int:
        """Return the number of a transcript's line, which is not kept."""
        return next(number for number, start, _ in lines_of(self._descriptor) if start == transcript.start)

    def _read(self, entry: int) -> tuple[Place, Transcript]:
        """Read a line again; raises CheckpointError if it has changed."""
        start, size = int(self._starts[entry]), PIECE
        while b"\n" not in (piece := os.pread(self._descriptor, size, start)) and len(piece) == size:
            size *= 2
        line = piece[: piece.find(b"\n") + 1] or piece
        if xxhash.xxh32_intdigest(line) != self._checks[entry]:
            raise CheckpointError(f"{self.path}: changed during the run: restore it, or choose another output")
        parsed = parse_transcript(self.path.parent, start, line)
        assert parsed, "the same bytes had a transcript before"
        return parsed


def hash_of(place: Place) -> int:
    return xxhash.xxh3_64_intdigest(repr(place).encode("utf-8", "surrogatepass"))


def lines_of(
    descriptor: int, update: Callable[[bytes], object] = lambda piece: None
) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield the number, the start in bytes and the bytes of each line; None is one over the limit.

    `update` gets all bytes of the file, in order.
    """
    position = 0
    with os.fdopen(os.dup(descriptor), "rb", buffering=1 << 18) as file:
        file.seek(0)

        def readline(most: int) -> bytes:
            nonlocal position
            piece = file.readline(most)
            position += len(piece)
            update(piece)
            return piece

        start = 0
        for number, line in enumerate(read_lines(readline), 1):
            yield number, start, line
            start = position


def index_of(path: Path) -> TranscriptIndex:
    """Return the index of a file of transcripts, which this process keeps while the file has the same content.

    Raises CheckpointError unless the file has transcripts, and nothing but transcripts.
    """
    try:
        if form := detect_form(path, TRANSCRIPTS):
            raise CheckpointError(describe(path, form, TRANSCRIPTS))
        return _kept_index(path, sha256_of(path))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error


@lru_cache(INDEXES)
def _kept_index(path: Path, sha256: str) -> TranscriptIndex:
    index = TranscriptIndex(path)
    if index.sha256 != sha256:
        raise CheckpointError(f"{path}: changed while it was read: run the same command again")
    return index

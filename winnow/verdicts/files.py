"""Files of verdicts in `OUT/reviews`: one for each reviewer and process, one line a verdict, synced line by line.

No two processes write to one file, and none continues the file of another, so any number may work at once, and one
that is killed loses at most the verdict that it was writing.
"""

import os
import re
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from winnow.errors import OutputError
from winnow.runs.contents import REVIEWS
from winnow.runs.storage import raise_if_disk_full, sync
from winnow.verdicts.verdict import Verdict

NOT_IN_NAMES = re.compile(r"[^\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Written:
    """The verdicts in a folder, and a sentence on each line that a process was writing when it died."""

    verdicts: list[Verdict]
    warnings: list[str]


class VerdictReader:
    """Reads the files of verdicts on a run, each from where it ended the last time."""

    def __init__(self, run: Path) -> None:
        self._folder = run / REVIEWS
        self._places: dict[Path, Place] = {}

    def is_stale(self) -> bool:
        """Tell whether a file is shorter than what was read of it, or gone: what was read has to be forgotten."""
        return any(not file.exists() or file.stat().st_size < place.bytes for file, place in self._places.items())

    def new(self) -> Written:
        """Return what was written since the last call; what raises OutputError is read again by the next one."""
        written, places = Written([], []), dict(self._places)
        for file in sorted(self._folder.glob("*.jsonl")):
            place = places.get(file, Place(0, 0))
            *lines, rest = read_from(file, place.bytes).split(b"\n")
            written.verdicts.extend(parse_lines(file, lines, place.lines + 1))
            if rest:
                written.warnings.append(f"{file}: its last line is cut off and does not count")
            places[file] = Place(place.bytes + sum(len(line) + 1 for line in lines), place.lines + len(lines))
        self._places = places
        return written


class Place(NamedTuple):
    """How much of a file was read: whole lines only."""

    bytes: int
    lines: int


def read_verdicts(run: Path) -> Written:
    """Read all verdicts on a run; raises OutputError for a line that is none, unless the file ends within it."""
    return VerdictReader(run).new()


def read_from(file: Path, start: int) -> bytes:
    """Read a file from a byte on; nothing where it has not grown."""
    if file.stat().st_size == start:
        return b""
    with file.open("rb") as content:
        content.seek(start)
        return content.read()


def parse_lines(file: Path, lines: list[bytes], first: int) -> list[Verdict]:
    """Return the verdicts in lines of a file, of which the first has this number."""
    verdicts = []
    for number, line in enumerate(lines, first):
        try:
            verdicts.append(Verdict.model_validate_json(line))
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            raise OutputError(f"{file}:{number}: not a verdict: {said}: restore the file, or remove it") from error
    return verdicts


class VerdictFile:
    """Appends verdicts to a new file of this process; a verdict is on the disk when `append` returns."""

    def __init__(self, run: Path, reviewer: str) -> None:
        self._folder = run / REVIEWS
        self._name = NOT_IN_NAMES.sub("-", reviewer)[:40].strip("-.") or "reviewer"
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    def append(self, verdict: Verdict) -> None:
        """Write a verdict; after an error, the next one goes to another file, as a line may have been cut off."""
        line = verdict.model_dump_json(exclude_none=True).encode() + b"\n"
        with self._lock:
            try:
                with raise_if_disk_full(self._folder):
                    self._write(line)
            except OSError as error:
                self._close()
                raise OutputError(f"{self._folder}: {error.strerror}: the verdict was not written") from error
            except BaseException:
                self._close()
                raise

    def _write(self, line: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = self._create()
        while line:
            line = line[os.write(self._descriptor, line) :]
        os.fsync(self._descriptor)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None

    def _create(self) -> int:
        self._folder.mkdir(exist_ok=True)
        file = self._folder / f"{self._name}-{uuid.uuid4().hex[:12]}.jsonl"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        sync(self._folder)
        sync(self._folder.parent)
        return descriptor

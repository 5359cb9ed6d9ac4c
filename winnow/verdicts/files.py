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

from pydantic import ValidationError

from winnow.errors import OutputError
from winnow.runs.contents import REVIEWS
from winnow.runs.storage import raise_if_disk_full, read_file, sync
from winnow.verdicts.verdict import Verdict

NOT_IN_NAMES = re.compile(r"[^\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Written:
    """The verdicts in a folder, and a sentence on each line that a process was writing when it died."""

    verdicts: list[Verdict]
    warnings: list[str]


def read_verdicts(run: Path) -> Written:
    """Read all verdicts on a run; raises OutputError for a line that is none, unless the file ends within it."""
    written = Written([], [])
    for file in sorted((run / REVIEWS).glob("*.jsonl")):
        verdicts, warning = parse_file(file, read_file(file))
        written.verdicts.extend(verdicts)
        written.warnings.extend(warning)
    return written


def parse_file(file: Path, content: bytes) -> tuple[list[Verdict], list[str]]:
    """Return the verdicts of a file, and a sentence if it ends within a line."""
    *lines, rest = content.split(b"\n")
    verdicts = []
    for number, line in enumerate(lines, 1):
        try:
            verdicts.append(Verdict.model_validate_json(line))
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            raise OutputError(f"{file}:{number}: not a verdict: {said}: restore the file, or remove it") from error
    return verdicts, [f"{file}: its last line is cut off and does not count"] if rest else []


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

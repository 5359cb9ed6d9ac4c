"""A manifest that grows, night by night: what is new in it, and the nights that there were.

Below the root, `0001.jsonl` holds the lines that were new in the first night, and `0001` is the run over them. A line
is known if a night has it: the same path, offset, duration and text, whatever its other fields; one that is no
utterance must be the same byte for byte. Nothing asks for the date.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import xxhash

from winnow.corpora.nemo_jsonl.line_reader import MAX_LINE, is_blank, rest_of_line
from winnow.corpora.nemo_jsonl.parse_line import Row, parse_line
from winnow.errors import ManifestError, OutputError
from winnow.runs.run_dir import Owner, locked
from winnow.runs.storage import is_local, location, write_atomically

log = logging.getLogger("winnow")

UTTERANCE = ("path", "offset", "duration", "text")


class Increments:
    """The nights below a root, in their order."""

    def __init__(self, root: Path, referenced: bool = True) -> None:
        """`referenced`: what has no text is no utterance."""
        self.root, self.referenced = root, referenced

    @property
    def runs(self) -> list[Path]:
        return [path.with_suffix("") for path in sorted(self.root.glob("[0-9]*.jsonl"))]

    @property
    def unfinished(self) -> list[Path]:
        """Nights that were interrupted; a run is whole when it says so."""
        return [run for run in self.runs if not (run / "_SUCCESS.json").exists()]

    def add(self, manifest: Path, folder: str) -> Path | None:
        """The run of a night over what is new in the manifest; nothing where that has no utterance."""
        known = {self.identity(line, folder) for run in self.runs for line in lines(manifest_path(run))}
        new = partial(self.fresh, manifest, folder, known)
        if all(self.parsed(line, folder)["reason"] for line in new()):
            if waiting := sum(1 for _ in new()):
                log.warning("%s: %d new lines are no utterances, and wait for a night with one", manifest, waiting)
            return None
        run = self.root / f"{len(self.runs) + 1:04}"
        with write_atomically(manifest_path(run)) as file:
            file.writelines(new())
        return run

    def fresh(self, manifest: Path, folder: str, known: set[bytes]) -> Iterator[bytes]:
        """The lines of the manifest that are not known."""
        for line in lines(manifest):
            if not is_blank(line) and self.identity(line, folder) not in known:
                yield line

    def identity(self, line: bytes, folder: str) -> bytes:
        """What tells a line from others, in 16 bytes; relative paths start at the folder."""
        row = self.parsed(line, folder)
        what = line if row["reason"] else msgspec.msgpack.encode([row[name] for name in UTTERANCE])
        return xxhash.xxh3_128(what).digest()

    def parsed(self, line: bytes, folder: str) -> Row:
        return parse_line(line if len(line) <= MAX_LINE + 1 else None, folder, self.referenced)


@contextmanager
def open_increments(output: str, owner: Owner, referenced: bool = True) -> Iterator[Increments]:
    """The nights below a folder; nobody else adds one until the block ends."""
    root = location(output)
    if not is_local(root):
        raise OutputError(f"{output}: nights are kept in a folder, not in an object store")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{root}: cannot be written to ({error.strerror})") from error
    others = [path.name for path in root.iterdir() if path.name != "_lock" and not path.name.startswith(".")]
    if strange := sorted(name for name in others if not name.removesuffix(".jsonl").isdigit()):
        raise OutputError(f"{root}: {strange[0]} is none of a night's: choose another output")
    with locked(root, owner):
        yield Increments(root, referenced)


def manifest_path(run: Path) -> Path:
    return run.with_name(f"{run.name}.jsonl")


def lines(manifest: Path) -> Iterator[bytes]:
    """Each line with its end; of one over the limit, which nobody reads, only the beginning."""
    try:
        with manifest.open("rb") as file:
            while line := file.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE and not line.endswith(b"\n"):
                    list(rest_of_line(file.readline))
                yield line if line.endswith(b"\n") else line + b"\n"
    except OSError as error:
        raise ManifestError(f"{manifest}: no manifest that can be read ({error.strerror})") from error

"""Runs over what is new in a manifest that grows.

Below a root, `0001.jsonl` has the lines that were new in the first increment, and `0001` is the run over them. A line
is new if no increment has it; no clock is involved. Numbers go up, and nothing that exists is replaced: if a run and
its manifest were removed, their utterances are new again.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from winnow.corpora.nemo_jsonl.new_lines import known_lines, new_lines
from winnow.corpora.nemo_jsonl.source import NemoJsonl
from winnow.corpora.registry import open_source
from winnow.corpora.remote_corpus import RemoteCorpus
from winnow.errors import ManifestError, OutputError, OutputInUse
from winnow.runs.lock import Owner, lock_folder
from winnow.runs.run_dir import check_folder
from winnow.runs.storage import is_local, location, write_atomically

log = logging.getLogger("winnow")


class Increments:
    """The increments below a root, in their order."""

    def __init__(self, root: Path, referenced: bool = True) -> None:
        """With `referenced`, a line without a text is not an utterance."""
        self.root, self.referenced = root, referenced

    @property
    def numbers(self) -> list[int]:
        """The numbers of all increments of which there is a manifest or a run."""
        names = {path.name.removesuffix(".jsonl") for path in self.root.iterdir() if is_increment(path.name)}
        return sorted(map(int, names))

    @property
    def runs(self) -> list[Path]:
        """The folder of each increment's run, which may not exist yet; raises OutputError if one has no manifest."""
        runs = [self.root / f"{number:04}" for number in self.numbers]
        for run in runs:
            if not manifest_path(run).exists():
                raise OutputError(
                    f"{run}: its manifest {manifest_path(run).name} is missing: restore it, or remove this folder, "
                    "whose utterances are then curated again"
                )
        return runs

    @property
    def unfinished(self) -> list[Path]:
        """The runs that were interrupted: those without a `_SUCCESS.json`."""
        return [run for run in self.runs if not (run / "_SUCCESS.json").exists()]

    def add(self, manifest: str | Path, folder: str) -> Path | None:
        """Write what is new in the manifest and return the folder for its run; None if no new line is an utterance.

        Relative paths start at `folder`. Raises ManifestError for an input that is not a NeMo manifest.
        """
        source = open_source(manifest, folder, self.referenced)
        source = source.copied if isinstance(source, RemoteCorpus) else source
        if not isinstance(source, NemoJsonl):
            raise ManifestError(f"{manifest}: expected a NeMo manifest: increments are kept as lines of JSON")
        source.check()
        known = known_lines(map(manifest_path, self.runs), folder, self.referenced)
        lines = partial(new_lines, source.path, known, folder, self.referenced)
        if not any(usable for _, usable in lines()):
            if waiting := sum(1 for _ in lines()):
                log.warning(
                    "%s: none of the %d new lines is a valid utterance, so no run is started for them yet",
                    manifest,
                    waiting,
                )
            return None
        run = self.root / f"{max(self.numbers, default=0) + 1:04}"
        try:
            with write_atomically(manifest_path(run), replace=False) as file:
                file.writelines(line for line, _ in lines())
        except FileExistsError as error:  # where there are no locks
            raise OutputInUse(f"{manifest_path(run)}: another run made it meanwhile: run the command again") from error
        return run


@contextmanager
def open_increments(output: str, owner: Owner, referenced: bool = True) -> Iterator[Increments]:
    """Yield the increments below a folder, which no other process can add to until the block ends.

    Raises OutputError if the folder is in an object store, cannot be written to or has other files.
    """
    root = check_root(output)
    root.mkdir(parents=True, exist_ok=True)
    with lock_folder(root, owner):
        yield Increments(root, referenced)


def check_root(output: str) -> Path:
    """Return the folder for increments; raises OutputError if it is none, or cannot be written to. Nothing is made."""
    root = location(output)
    if not is_local(root):
        raise OutputError(f"{output}: increments need a local folder, got a URL")
    check_folder(root, of_run=False)
    names = [path.name for path in root.iterdir()] if root.exists() else []
    names = [name for name in names if name != "_lock" and not name.startswith(".")]
    if foreign := sorted(name for name in names if not is_increment(name)):
        raise OutputError(f"{root}: expected increments only, found {foreign[0]}: choose another output")
    return root


def is_increment(name: str) -> bool:
    """Tell whether this is the name of an increment's manifest or run: a number of at least four digits."""
    return re.fullmatch(r"(\d{4}|[1-9]\d{4,})(\.jsonl)?", name, re.ASCII) is not None


def manifest_path(run: Path) -> Path:
    """Return the manifest of an increment, given the folder of its run."""
    return run.with_name(f"{run.name}.jsonl")

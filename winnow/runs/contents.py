"""What lies in the folder of a run besides its own files: leftovers of attempts that died, and files of others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from winnow.runs import ledger
from winnow.runs.completion import SINGLE_FILES, SUCCESS
from winnow.runs.outputs import FILES, TABLES
from winnow.runs.records import named_files
from winnow.runs.shard_files import HASHED_NAME, fits_name
from winnow.runs.storage import is_draft, is_plain_file, sha256_if_exists

OWN_FILES = {*SINGLE_FILES, SUCCESS, "_lock", "sweep.json", "sweep.html", "diff.json", "diff.html", *FILES}

OWN_LEDGER = {ledger.ASIDE, ledger.RETRY}

REVIEWS = "reviews"
"""The folder with the verdicts of reviewers; see `winnow.verdicts`."""

OWN_FOLDERS = {ledger.STAGES, ledger.LEDGER, ledger.ANSWERS, REVIEWS, *TABLES}


@dataclass(frozen=True)
class Contents:
    """`leftovers` are Winnow's and in no record, so they may be removed; all `foreign` files and folders stay."""

    leftovers: list[Path]
    foreign: list[Path]


def survey(run: Path) -> Contents:
    """Look through a run's folder. Only what a record names, or what its name and its hash prove, is Winnow's own."""
    recorded = set(ledger.records_by_file(run))
    outdated = {run / name for path in entries(run / ledger.LEDGER / ledger.ASIDE) for name in named_files(path)}
    contents = Contents([], [])
    for path in unknown_files(run):
        if is_draft(path) or (path not in recorded and is_own_table(path, outdated)):
            contents.leftovers.append(path)
        elif path not in recorded:
            contents.foreign.append(path)
    return contents


def unknown_files(run: Path) -> Iterator[Path]:
    """Yield what is not in its place by its name alone, first where readers of the dataset find it."""
    for name in TABLES:
        yield from entries(run / name)
    yield from (path for path in entries(run) if path.name not in OWN_FILES | OWN_FOLDERS or is_other_kind(path))
    records = set(ledger.record_files(run))
    yield from (path for path in entries(run / ledger.LEDGER) if path not in records and path.name not in OWN_LEDGER)
    yield from (path for path in entries(run / ledger.LEDGER / ledger.ASIDE) if is_draft(path))
    for folder in entries(run / ledger.STAGES):
        yield from entries(folder) if folder.is_dir() else [folder]


def is_other_kind(path: Path) -> bool:
    """Tell whether this is a file with the name of a folder of Winnow's."""
    return path.name in OWN_FOLDERS and not path.is_dir()


def entries(folder: Path) -> Iterable[Path]:
    """Return what lies in a folder, in order; nothing if there is no such folder."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def is_own_table(path: Path, outdated: set[Path]) -> bool:
    """Tell whether a stage wrote this file: it has the hash in its name, or an outdated record names it."""
    if HASHED_NAME.fullmatch(path.name) is None or not is_plain_file(path):
        return False
    return path in outdated or fits_name(path.name, lambda: sha256_if_exists(path) or "")

"""The folder of an export: opened by one export at a time, and never one that holds something else."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winnow.errors import OutputError
from winnow.export.record import EXPORT_RECORD, check_same_export
from winnow.parameters.export import Export
from winnow.runs.completion import SUCCESS
from winnow.runs.lock import Owner, lock_folder
from winnow.runs.run_dir import cannot_write
from winnow.runs.storage import (
    check_writable,
    commit_step,
    is_draft,
    is_local,
    location,
    raise_if_disk_full,
    remove,
    sync,
    write_atomically,
)
from winnow.runs.store_errors import explain_store_errors

DRAFTS = ".tmp-export-"
"""How the folder begins in which the files of a shard are written before they are moved to their places."""


@contextmanager
def open_export(settings: Export, inputs: dict[str, str], owner: Owner) -> Iterator[Path]:
    """Open the folder of an export and lock it until the block ends; `inputs` are the sha256 of what is read.

    Raises OutputError for a folder that cannot be used, OutputInUse, and RunMismatch for one with another export.
    """
    output = location(settings.output)
    check_export_folder(output)
    with explain_store_errors(output):
        if is_local(output):
            output.mkdir(parents=True, exist_ok=True)
        with lock_folder(output, owner):
            check_same_export(output, settings, inputs)
            remove(output / SUCCESS)
            remove_drafts(output)
            yield output


def check_export_folder(output: Path) -> None:
    """Raise OutputError unless the folder can be written to, and is new, empty or that of an export."""
    try:
        with explain_store_errors(output):
            names = {path.name for path in output.iterdir() if not is_draft(path)} if output.exists() else set()
        if EXPORT_RECORD not in names and names - {"_lock"}:
            raise OutputError(f"{output}: not an export's folder, and not empty: choose another output")
        if is_local(output):
            check_writable(output)
    except OSError as error:
        raise cannot_write(output, error) from error


def remove_drafts(output: Path) -> None:
    """Remove what attempts left that died."""
    for path in sorted(output.rglob(".tmp-*")) if is_local(output) else ():
        if path.name.startswith(DRAFTS) and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif is_draft(path):
            path.unlink()


@contextmanager
def draft_folder(output: Path) -> Iterator[Path]:
    """Yield an empty local folder for files that are not complete; on the disk of the output if that is local."""
    if not is_local(output):
        with tempfile.TemporaryDirectory() as elsewhere:
            yield Path(elsewhere)
        return
    folder = output / f"{DRAFTS}{uuid.uuid4().hex}"
    with raise_if_disk_full(output):
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def move_files(drafts: Path, output: Path) -> list[Path]:
    """Move all files from a draft folder to the same places in the output, each whole; return them in order."""
    files = [path for path in sorted(drafts.rglob("*")) if path.is_file()]
    moved = [output / file.relative_to(drafts).as_posix() for file in files]
    for file, target in zip(files, moved, strict=True):
        if is_local(output):
            move_file(file, target)
        else:
            with file.open("rb") as content, write_atomically(target) as copy:
                shutil.copyfileobj(content, copy, 2**24)
    return moved


def move_file(file: Path, target: Path) -> None:
    """Sync a file and rename it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sync(file)
    commit_step("drafted", target)
    file.replace(target)
    sync(target.parent)
    commit_step("in place", target)

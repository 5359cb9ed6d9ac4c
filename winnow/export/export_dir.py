"""The folder of an export: opened by one export at a time, and never one that holds something else."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from winnow.export.record import EXPORT_RECORD, check_same_export
from winnow.parameters.export import Export
from winnow.runs.lock import Owner
from winnow.runs.output_folder import DRAFTS, check_output, open_output
from winnow.runs.storage import (
    commit_step,
    is_local,
    location,
    raise_if_disk_full,
    sync,
    write_atomically,
)


@contextmanager
def open_export(
    settings: Export, inputs: dict[str, str], owner: Owner, on_dead_owner: Callable[[Owner], object]
) -> Iterator[Path]:
    """Open the folder of an export and lock it until the block ends; `inputs` are the sha256 of what is read.

    `on_dead_owner` is called with an owner that died while it worked on the folder.
    Raises OutputError for a folder that cannot be used, OutputInUse, and RunMismatch for one with another export.
    """
    output = location(settings.output)
    check_same = partial(check_same_export, output, settings, inputs)
    with open_output(output, owner, on_dead_owner, check_export_folder, check_same):
        yield output


def check_export_folder(output: Path) -> None:
    """Raise OutputError unless the folder can be written to, and is new, empty or that of an export."""
    check_output(output, EXPORT_RECORD, "an export's folder")


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

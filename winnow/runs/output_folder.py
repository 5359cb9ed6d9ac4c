"""The folder of an output that is no run: opened by one command at a time, and never one that holds something else."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from winnow.errors import OutputError
from winnow.runs.completion import SUCCESS
from winnow.runs.lock import Owner, lock_folder
from winnow.runs.run_dir import cannot_write
from winnow.runs.storage import check_writable, is_draft, is_local, remove
from winnow.runs.store_errors import explain_store_errors

DRAFTS = ".tmp-export-"
"""How a folder begins in which files are written before they are moved to their places."""


@contextmanager
def open_output(
    output: Path,
    owner: Owner,
    on_dead_owner: Callable[[Owner], object],
    check_folder: Callable[[Path], None],
    check_same: Callable[[], None],
) -> Iterator[Path]:
    """Make the folder and lock it until the block ends; what marks it as complete is removed, and so are drafts.

    `on_dead_owner` is called with an owner that died while it worked on the folder. `check_same` writes the output's
    record, or raises RunMismatch if the folder has another one. Raises OutputError as `check_folder` does, and
    OutputInUse.
    """
    check_folder(output)
    with explain_store_errors(output):
        if is_local(output):
            output.mkdir(parents=True, exist_ok=True)
        with lock_folder(output, owner) as dead_owner:
            if dead_owner:
                on_dead_owner(dead_owner)
            check_same()
            remove(output / SUCCESS)
            remove_drafts(output)
            yield output


def check_output(output: Path, record: str, kind: str) -> None:
    """Raise OutputError unless the folder can be written to, and is new, empty or has the record of this kind."""
    try:
        with explain_store_errors(output):
            names = {path.name for path in output.iterdir() if not is_draft(path)} if output.exists() else set()
        if record not in names and names - {"_lock"}:
            raise OutputError(f"{output}: not {kind}, and not empty: choose another output")
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

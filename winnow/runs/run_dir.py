"""A run's folder: opened by one run at a time, and marked when its output is complete."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from winnow.errors import OutputError, WinnowError
from winnow.parameters.ensemble import Settings
from winnow.runs import ledger
from winnow.runs.completion import SUCCESS, complete
from winnow.runs.contents import survey
from winnow.runs.lock import Owner, lock_folder
from winnow.runs.records import read_record
from winnow.runs.retry import forget_retry
from winnow.runs.run_record import RUN_RECORD, Derivation, check_same_run, read_run_record
from winnow.runs.storage import check_writable, draft_of, is_draft, is_local, location, put, remove
from winnow.runs.store_errors import explain_store_errors, store_error


@contextmanager
def open_run(
    settings: Settings,
    inputs: dict[str, str | None],
    owner: Owner | None = None,
    on_dead_owner: Callable[[Owner], object] = print,
    versions: dict[str, str] | None = None,
    derived: Derivation | None = None,
) -> Iterator[Path]:
    """Open the folder of a run and lock it until the block ends; `run.json` has its parameters.

    `inputs` are the sha256 of what the run reads, `versions` those of its engines, `derived` says from which run it
    reuses hypotheses. `on_dead_owner` is called with an
    owner that died while it worked on the folder. Raises OutputError for a folder that cannot be used, StoreError at
    any time until the block ends, OutputInUse and RunMismatch.
    """
    run = location(settings.output)
    with explain_store_errors(run):
        make_folder(run)
        with lock_folder(run, owner or {}) as dead_owner:
            if dead_owner:
                on_dead_owner(dead_owner)
            record = check_same_run(run, settings, inputs, versions or {}, derived)
            remove(run / SUCCESS)
            put(run / RUN_RECORD, record)
            yield run


def check_folder(run: Path, of_run: bool = True) -> None:
    """Raise OutputError unless the folder can be written to, and (`of_run`) is new, empty or a run's; make nothing.

    A run might overwrite the files of another folder. An object store is not asked whether it can be written to.
    """
    try:
        with explain_store_errors(run):
            names = {path.name for path in run.iterdir() if not is_draft(path)} if run.exists() else set()
        if of_run and RUN_RECORD in names:
            read_run_record(run)
        elif of_run and names - {"_lock"}:
            raise OutputError(f"{run}: not a run's folder, and not empty: choose another output")
        if is_local(run):
            check_writable(run)
    except OSError as error:
        raise cannot_write(run, error) from error


def make_folder(run: Path) -> None:
    """Make the folder; raises OutputError as `check_folder` does."""
    try:
        if is_local(run):
            run.mkdir(parents=True, exist_ok=True)
        check_folder(run)
        put(draft_of(run / RUN_RECORD), b"").unlink()
    except OSError as error:
        raise cannot_write(run, error) from error


def cannot_write(run: Path, error: OSError) -> WinnowError:
    """Return the error of an output that cannot be written to, or of its store."""
    return store_error(error, run) or OutputError(f"{run}: cannot be written to ({error.strerror or error})")


def mark_complete(run: Path, published: set[Path], counts: dict[str, int]) -> None:
    """Remove what is outdated from the output, and what attempts left that died; then write `_SUCCESS.json`.

    Records of files that were published earlier are invalidated: where a pass was repeated, a score may differ in its
    last bit, and then the files of all later stages have other names. Files that are not the run's are left alone.
    """
    for path in ledger.record_files(run):
        record = read_record(path)
        outdated = record is not None and record.get("stage") == "publish"
        if record is None or (outdated and not {run / name for name in record["files"]} <= published):
            ledger.invalidate(path)
    for file in survey(run).leftovers:
        file.unlink(missing_ok=True)
    forget_retry(run)
    complete(run, counts)

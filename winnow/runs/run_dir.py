"""A run's folder: opened by one run at a time, and marked when its output is complete."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from winnow.errors import OutputError
from winnow.parameters.ensemble import Settings
from winnow.runs import ledger
from winnow.runs.lock import Owner, lock_folder
from winnow.runs.outputs import FILES, TABLES
from winnow.runs.run_record import check_same_run
from winnow.runs.storage import DRAFT, find_drafts, is_local, location, put, sha256_if_exists
from winnow.runs.store_errors import explain_store_errors, store_error


@contextmanager
def open_run(
    settings: Settings,
    inputs: dict[str, str | None],
    owner: Owner | None = None,
    on_dead_owner: Callable[[Owner], object] = print,
    versions: dict[str, str] | None = None,
) -> Iterator[Path]:
    """Open the folder of a run and lock it until the block ends; `run.json` has its parameters.

    `inputs` are the sha256 of what the run reads, `versions` those of its engines. `on_dead_owner` is called with an
    owner that died while it worked on the folder. Raises OutputError for a folder that cannot be used, StoreError at
    any time until the block ends, OutputInUse and RunMismatch.
    """
    run = location(settings.output)
    with explain_store_errors(run):
        make_folder(run)
        with lock_folder(run, owner or {}) as dead_owner:
            if dead_owner:
                on_dead_owner(dead_owner)
            check_same_run(run, settings, inputs, versions or {})
            (run / "_SUCCESS.json").unlink(missing_ok=True)
            yield run


def make_folder(run: Path) -> None:
    """Make the folder; refuse one that has other files, because the run might overwrite them, or is not writable."""
    try:
        if is_local(run):
            run.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in run.iterdir() if not path.name.startswith(DRAFT)} if run.exists() else set()
        if names and not names & {"run.json", "_lock"}:
            raise OutputError(f"{run}: not a run's folder, and not empty: choose another output")
        put(run / f"{DRAFT}probe", b"").unlink()
    except OSError as error:
        raise store_error(error, run) or OutputError(
            f"{run}: cannot be written to ({error.strerror or error})"
        ) from error


def mark_complete(run: Path, published: set[Path], counts: dict[str, Any]) -> None:
    """Remove everything from the output but the published files, then write `_SUCCESS.json`.

    Records of files that were published earlier are invalidated: where a pass was repeated, a score may differ in its
    last bit, and then the files of all later stages have other names.
    """
    for path in ledger.record_files(run):
        content = path.read_bytes()
        record = json.loads(content)
        if record.get("stage") == "publish" and not {run / name for name in record["files"]} <= published:
            ledger.invalidate(path, content)
    for file in [*find_orphans(run), *find_drafts(run)]:
        file.unlink(missing_ok=True)
    success = counts | {"sha256": {name: sha256_if_exists(run / name) for name in FILES}}
    put(run / "_SUCCESS.json", json.dumps(success, indent=2, sort_keys=True).encode() + b"\n")


def find_orphans(run: Path) -> list[Path]:
    """Find files that no record names, left by attempts that came second or died before they were recorded."""
    recorded = set(ledger.records_by_file(run))
    folders = [*(run / ledger.STAGES).glob("*"), *(run / folder for folder in TABLES)]
    return [path for folder in folders for path in folder.glob("*.parquet") if path not in recorded]

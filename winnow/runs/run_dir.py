"""A run's folder: whose it is, what was asked of it, who works on it, and when it is whole."""

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from winnow.errors import OutputError, OutputInUse, RunMismatch
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.filter import Filter
from winnow.parameters.settings import AS_RECORDED
from winnow.runs import ledger
from winnow.runs.storage import DRAFT, find_drafts, is_local, location, put, put_if_absent, raise_if_disk_full

PLACEMENT_PARAMETERS = (
    *("output", "small", "large", "extra_models", "languages", "models", "select", "catalog", "trust_unpinned"),
    *("devices", "small_placement", "large_placement", "models_placement", "dask"),
)
NOT_COMPARED: Any = dict.fromkeys((*PLACEMENT_PARAMETERS, "max_quarantined"), True) | {
    "engine": EngineOptions.PERFORMANCE_ONLY,
    "filter": {"phrases"},
}
"""Parameters that change nothing that is written: where checkpoints and phrases lie, where it runs, in what batches."""


Owner = dict[str, Any]
"""Who works on an output: host, process and, with Prefect, its flow run."""


PATH_PARAMETERS = ("manifest", "small", "large", "extra_models", "languages", "models", "audio_root", "relative_to")


@contextmanager
def open_run(
    settings: Settings, inputs: dict[str, str | None], owner: Owner | None = None, died: Callable[[Owner], None] = print
) -> Iterator[Path]:
    """The run's folder, with what was asked of it in `run.json`; nobody else works on it until the block ends.

    `inputs` are the sha256 of what is read. The folder of a run that was asked otherwise is refused. An owner that
    died in the middle is given to `died`.
    """
    run = location(settings.output)
    make_folder(run)
    with locked(run, owner or {}) as dead:
        if dead:
            died(dead)
        check_same_run(run, settings, inputs)
        (run / "_SUCCESS.json").unlink(missing_ok=True)
        yield run


def make_folder(run: Path) -> None:
    """Make the run's folder; one with anything else in it is refused, since files of its own may be overwritten."""
    try:
        if is_local(run):
            run.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in run.iterdir() if not path.name.startswith(DRAFT)} if run.exists() else set()
        if not names & {"run.json", "_lock"} and names:
            raise OutputError(f"{run}: not a run's folder, and not empty: choose another output")
        put(run / f"{DRAFT}probe", b"").unlink()
    except OSError as error:
        raise OutputError(f"{run}: cannot be written to ({error.strerror or error})") from error


@contextmanager
def locked(run: Path, owner: Owner) -> Iterator[Owner]:
    """Nobody else on a disk that can lock; a writer that dies lets go, and what it left is who it was.

    In an object store the ledger alone decides.
    """
    if not is_local(run):
        yield {}
        return
    with (run / "_lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputInUse(
                f"{run} is in use by {describe_owner(read_owner(file))}: wait for it to end, or choose another output"
            ) from error
        except OSError:  # no locks here, as on some network disks
            yield {}
            return
        dead = read_owner(file)
        with raise_if_disk_full(run):
            file.truncate(0)
            file.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()} | owner))
            file.flush()
        yield dead
        file.truncate(0)


def read_owner(file: IO[str]) -> Owner:
    """Who the lock says to hold it."""
    file.seek(0)
    with suppress(ValueError):
        found = json.loads(file.read())
        return found if isinstance(found, dict) else {}
    return {}


def describe_owner(owner: Owner) -> str:
    return f"{owner.get('name') or 'another run'} (process {owner.get('pid')} on {owner.get('host')})"


def check_same_run(run: Path, settings: Settings, inputs: dict[str, str | None]) -> None:
    """Write what was asked, or compare it with what was. A run that did nothing yet binds nobody."""
    given = settings.model_dump(mode="json")
    asked = {
        "parameters": given | {name: absolute_paths(value) for name, value in given.items() if name in PATH_PARAMETERS},
        "sha256": inputs,
        "versions": {name: version(name) for name in ("winnow", "nemo_toolkit", "torch", "prefect")},
    }
    path, text = run / "run.json", json.dumps(asked, indent=2, sort_keys=True).encode() + b"\n"
    if not put_if_absent(path, text):
        before, now = json.loads(path.read_bytes()), asked
        changes = differences(comparable(before), comparable(now))
        idle = is_local(run) and not any((run / "_ledger").glob("[!.]*.json"))
        if changes and not idle:
            raise RunMismatch(f"{run} holds another run ({changes}): choose another output, or remove this one")
        put(path, text)  # where and how it runs now, for `winnow resume`


def absolute_paths(name: Any) -> Any:
    """A name of a file, or each of several, so that it is found from another folder too; any other name as it is."""
    if name is None:
        return None
    if isinstance(name, list):
        return [absolute_paths(one) for one in name]
    if isinstance(name, dict):
        return {key: absolute_paths(one) for key, one in name.items()}
    path, at, pin = str(name).partition("@")
    return f"{Path(path).absolute()}{at}{pin}" if Path(path).exists() else str(name)


def comparable(asked: dict[str, Any]) -> dict[str, Any]:
    """Of what was asked, what changes the output."""
    return {"parameters": without(asked["parameters"], NOT_COMPARED), "sha256": asked["sha256"]}


def without(values: dict[str, Any], names: Any) -> dict[str, Any]:
    """The values less those named: a name with True, or a set or dictionary of names below it."""
    kept = {}
    for name, value in values.items():
        below = names.get(name) if isinstance(names, dict) else name in names
        if below is not True:
            kept[name] = without(value, below) if below else value
    return kept


def differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    one, other = _flat(before), _flat(now)
    names = [name for name in sorted(one | other) if one.get(name) != other.get(name)]
    return "; ".join(f"{name} was {one.get(name)}, now {other.get(name)}" for name in names)


def load_settings(run: Path, other: Filter | None = None) -> Settings:
    """The parameters of the run in a folder, a cascade's or an ensemble's, with other rules if there are any."""
    try:
        asked = json.loads((run / "run.json").read_bytes())["parameters"]
        kind = Ensemble if "models" in asked else Curation
        settings = kind.model_validate(asked | {"output": str(run)}, context=AS_RECORDED)
        return settings.model_copy(update={"filter": other}) if other else settings
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{run}: no run to go on with: its run.json is missing or no run's") from error


def mark_complete(run: Path, published: set[Path], counts: dict[str, Any]) -> None:
    """Leave nothing in the output but what was published, and say that it is whole: `_SUCCESS.json` is written last.

    Parts that were published before and are not of this run any more go: where a pass was done again, its readings
    may differ in the last bit, and all that follows has other names then.
    """
    for path in sorted((run / "_ledger").glob("[!.]*.json")):
        content = path.read_bytes()
        record = json.loads(content)
        if record.get("stage") == "publish" and not {run / name for name in record["files"]} <= published:
            ledger.invalidate(path, content)
    for left in [*orphans(run), *find_drafts(run)]:
        left.unlink(missing_ok=True)
    said = counts | {"manifest_sha256": ledger.sha256_if_present(run / "manifest.jsonl")}
    put(run / "_SUCCESS.json", json.dumps(said, indent=2, sort_keys=True).encode() + b"\n")


def orphans(run: Path) -> list[Path]:
    """Parts that no record names: of attempts that came second, or died before they were recorded."""
    named = set(ledger.records_by_file(run))
    folders = [*(run / ledger.STAGES).glob("*"), run / "data", run / "rejects"]
    parts = [path for folder in folders for path in folder.glob("*.parquet")]
    return [path for path in parts if path not in named]


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, item in value.items() for k, v in _flat(item, f"{name}.{key}".lstrip(".")).items()}

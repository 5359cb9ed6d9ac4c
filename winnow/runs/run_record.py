"""`run.json`: the parameters of a run, the sha256 of its inputs and the versions of its software."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from winnow.errors import OutputError, RunMismatch
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.filter import Filter
from winnow.parameters.settings import AS_RECORDED, Parameters
from winnow.runs.ledger import record_files
from winnow.runs.storage import is_local, put, put_if_absent
from winnow.runs.store_errors import explain_store_errors

Record = dict[str, Any]


def check_same_run(run: Path, settings: Settings, inputs: dict[str, str | None], versions: dict[str, str]) -> None:
    """Write `run.json`; raise RunMismatch if the folder holds the results of a run that would have written others.

    `inputs` are the sha256 of what the run reads. The record of a run that has no results yet is replaced.
    """
    record = make_record(settings, inputs, versions)
    path, content = run / "run.json", json.dumps(record, indent=2, sort_keys=True).encode() + b"\n"
    if put_if_absent(path, content):
        return
    before, now = (comparable(each, type(settings)) for each in (json.loads(path.read_bytes()), record))
    changes = differences(before, now)
    has_results = not is_local(run) or bool(record_files(run))
    if changes and has_results:
        raise RunMismatch(f"{run} holds another run ({changes}): choose another output, or remove this one")
    put(path, content)  # with the placement of this run, for `winnow resume`


def load_settings(run: Path, filter: Filter | None = None) -> Settings:
    """Return the parameters of the run in a folder, with other rules if they are given."""
    try:
        with explain_store_errors(run):
            parameters = json.loads((run / "run.json").read_bytes())["parameters"]
        kind = Ensemble if "models" in parameters else Curation
        settings = kind.model_validate(parameters | {"output": str(run)}, context=AS_RECORDED)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{run}: not a run's folder: run.json is missing or damaged") from error
    return settings.model_copy(update={"filter": filter}) if filter else settings


def make_record(settings: Settings, inputs: dict[str, str | None], versions: dict[str, str]) -> Record:
    parameters = settings.model_dump(mode="json")
    parameters |= {name: absolute_paths(value) for name, value in parameters.items() if name in settings.PATHS}
    versions = versions | {name: version(name) for name in ("winnow", "prefect")}
    return {"parameters": parameters, "sha256": inputs, "versions": versions}


def absolute_paths(value: Any) -> Any:
    """Make the names of files that exist absolute, in lists and dicts too; return any other value unchanged."""
    if value is None:
        return None
    if isinstance(value, list):
        return [absolute_paths(item) for item in value]
    if isinstance(value, dict):
        return {key: absolute_paths(item) for key, item in value.items()}
    path, at, pin = str(value).partition("@")
    return f"{Path(path).absolute()}{at}{pin}" if Path(path).exists() else str(value)


def comparable(record: Record, kind: type[Parameters]) -> Record:
    """Return the part of a record that determines the output."""
    return {"parameters": without_not_compared(record["parameters"], kind), "sha256": record["sha256"]}


def without_not_compared(values: dict[str, Any], kind: type[Parameters]) -> dict[str, Any]:
    """Return the values of parameters of this kind, and of those nested in them, except the NOT_COMPARED ones."""
    compared = {name: value for name, value in values.items() if name not in kind.NOT_COMPARED}
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Parameters) and isinstance(compared.get(name), dict):
            compared[name] = without_not_compared(compared[name], inner)
    return compared


def differences(before: Record, now: Record) -> str:
    """Name the values that differ, such as `parameters.filter.max_wer was None, now 0.1`; "" if none does."""
    old, new = flatten(before), flatten(now)
    names = [name for name in sorted(old | new) if old.get(name) != new.get(name)]
    return "; ".join(f"{name} was {old.get(name)}, now {new.get(name)}" for name in names)


def flatten(value: Any, name: str = "") -> Record:
    """Flatten nested dicts to one, whose keys are paths such as `parameters.filter.max_wer`."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, item in value.items() for k, v in flatten(item, f"{name}.{key}".lstrip(".")).items()}

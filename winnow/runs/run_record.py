"""`run.json`: the parameters of a run, the sha256 of its inputs and the versions of its software."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from winnow.audio.remote.urls import is_url
from winnow.errors import OptionError, OutputError, RunMismatch
from winnow.input_files import expand_home, is_file
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble, Settings
from winnow.parameters.filter import Filter
from winnow.parameters.settings import AS_RECORDED, Parameters, flag
from winnow.pins import cut_pin
from winnow.runs.json_object import decode_object, encode_object
from winnow.runs.ledger import record_files
from winnow.runs.storage import is_local, location, put_if_absent, read_file
from winnow.runs.store_errors import explain_store_errors

RUN_RECORD = "run.json"

Values = dict[str, Any]

MOST_DIFFERENCES = 5  # in a message


class Derivation(BaseModel, frozen=True, extra="forbid", strict=True):
    """The flow that made a run from the hypotheses of another one, the folder of that run, and if its reviews count."""

    flow: Literal["refilter", "relabel"]
    run: str
    reviews: bool = False


class RunRecord(BaseModel, frozen=True, extra="forbid", strict=True):
    """What determines the output of a run, and where it was run; `derived` if it reuses another run's hypotheses."""

    parameters: Values
    sha256: dict[str, str | None]
    versions: dict[str, str]
    derived: Derivation | None = None

    def encode(self) -> bytes:
        return encode_object(self.model_dump(exclude=set() if self.derived else {"derived"}), indent=2)


def check_same_run(
    run: Path,
    settings: Settings,
    inputs: dict[str, str | None],
    versions: dict[str, str],
    derived: Derivation | None = None,
) -> bytes:
    """Write `run.json`; raise RunMismatch if the folder holds the results of a run that would have written others.

    `inputs` are the sha256 of what the run reads. Returns what `run.json` is to contain: the placement of this run, for
    `winnow resume`, or all its parameters, if the run before it has no results.
    """
    content = make_record(run, settings, inputs, versions, derived).encode()
    if not put_if_absent(run / RUN_RECORD, content) and has_results(run):
        raise_if_other_run(run, settings, inputs)
    return content


def has_results(run: Path) -> bool:
    """Tell whether a run has begun to write results into the folder; in an object store, its record counts as one."""
    return (run / RUN_RECORD).exists() and (not is_local(run) or bool(record_files(run)))


def raise_if_other_run(run: Path, settings: Settings, inputs: dict[str, str | None]) -> None:
    """Raise RunMismatch if the run in the folder has other parameters or inputs."""
    records = read_run_record(run), make_record(run, settings, inputs, {})
    if changes := differences(*(comparable(record, type(settings)) for record in records)):
        raise RunMismatch(f"{run} holds another run ({changes}): choose another output, or remove this one")


def read_run_record(run: Path) -> RunRecord:
    """Read the record of the run in a folder; raises OutputError if there is none, or if it is damaged."""
    try:
        with explain_store_errors(run):
            content = read_file(run / RUN_RECORD)
        return RunRecord.model_validate(decode_object(content))
    except FileNotFoundError as error:
        raise OutputError(f"{run}: not a run's folder: {RUN_RECORD} is missing") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise OutputError(f"{run / RUN_RECORD}: not a run's record: {place}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise OutputError(f"{run / RUN_RECORD}: not a run's record: {error}") from error


def load_settings(run: Path, filter: Filter | None = None) -> Settings:
    """Return the parameters of the run in a folder, with other rules if they are given."""
    parameters = read_run_record(run).parameters
    kind = Ensemble if "models" in parameters else Curation
    try:
        settings = kind.model_validate(parameters | {"output": str(run)}, context=AS_RECORDED)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("parameters", *first["loc"])))
        raise OutputError(f"{run / RUN_RECORD}: not the parameters of a run: {place}: {first['msg']}") from error
    return settings.model_copy(update={"filter": filter}) if filter else settings


def check_recordable(settings: Settings) -> None:
    """Raise OptionError for a value that `run.json` cannot have, such as a path that is not UTF-8."""
    values = with_absolute_paths(settings) | {"output": str(location(settings.output))}
    for name, value in flatten(values).items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise OptionError(
                f"{flag(*name.split('.'))}: {value!r} is not UTF-8: rename it, or write it in UTF-8"
            ) from error


def make_record(
    run: Path,
    settings: Settings,
    inputs: dict[str, str | None],
    versions: dict[str, str],
    derived: Derivation | None = None,
) -> RunRecord:
    parameters = with_absolute_paths(settings) | {"output": str(run)}
    versions = versions | {name: version(name) for name in ("winnow", "prefect")}
    return RunRecord(parameters=parameters, sha256=inputs, versions=versions, derived=derived)


def with_absolute_paths(parameters: Parameters) -> Values:
    """Return the values of parameters, with absolute paths, also in the parameters nested in them."""
    values: Values = parameters.model_dump(mode="json")
    for name in values:
        match getattr(parameters, name):
            case Path() as path:
                values[name] = str(path.absolute())
            case str() as place if name in parameters.LOCATIONS:
                values[name] = place if is_url(place) else str(Path(place).absolute())
            case Parameters() as nested:
                values[name] = with_absolute_paths(nested)
            case _ if name in parameters.PATHS:
                values[name] = with_absolute_names(values[name])
    return values


def with_absolute_names(value: Any) -> Any:
    """Make names that are those of files absolute, pinned or not, in lists and dicts too."""
    if isinstance(value, list):
        return [with_absolute_names(item) for item in value]
    if isinstance(value, dict):
        return {key: with_absolute_names(item) for key, item in value.items()}
    if value is None:
        return None
    name, pin = (value, "") if is_file(value) else cut_pin(value)
    return f"{expand_home(name).absolute()}{pin}" if is_file(name) else value


def comparable(record: RunRecord, kind: type[Parameters]) -> Values:
    """Return the part of a record that determines the output."""
    return {"parameters": without_not_compared(record.parameters, kind), "sha256": record.sha256}


def without_not_compared(values: Values, kind: type[Parameters]) -> Values:
    """Return the values of parameters of this kind, and of those nested in them, except the NOT_COMPARED ones."""
    compared = {name: value for name, value in values.items() if name not in kind.NOT_COMPARED}
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Parameters) and isinstance(compared.get(name), dict):
            compared[name] = without_not_compared(compared[name], inner)
    return compared


def differences(before: Values, now: Values) -> str:
    """Name the values that differ, such as `parameters.filter.max_wer was None, now 0.1`; "" if none does."""
    old, new = flatten(before), flatten(now)
    names = [name for name in sorted(old | new) if old.get(name) != new.get(name)]
    shown = [f"{name} was {old.get(name)}, now {new.get(name)}" for name in names[:MOST_DIFFERENCES]]
    return "; ".join([*shown, *([f"and {len(names) - len(shown)} more"] if len(names) > len(shown) else [])])


def flatten(value: Any, name: str = "") -> Values:
    """Flatten nested dicts to one, whose keys are paths such as `parameters.filter.max_wer`."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, item in value.items() for k, v in flatten(item, f"{name}.{key}".lstrip(".")).items()}

"""Parameters, models and software that differ between two runs."""

from typing import Any, Literal

from pydantic import BaseModel

from winnow.api.run import Run
from winnow.runs.run_record import comparable, flatten, read_run_record

Kind = Literal["parameter", "sha256", "version"]


class SettingChange(BaseModel, frozen=True):
    """A parameter, an input's sha256 or a version with another value; None where a run does not have it."""

    kind: Kind
    name: str
    before: Any
    after: Any


def find_setting_changes(first: Run, second: Run) -> list[SettingChange]:
    """Return what determines the output of a run and differs, in the order of its names.

    A version counts if both runs have it: a run that reuses hypotheses has none of an engine.
    """
    records = [read_run_record(run.path) for run in (first, second)]
    parts = [comparable(record, type(run.settings)) for record, run in zip(records, (first, second), strict=True)]
    versions = compare("version", *(record.versions for record in records))
    return [
        *compare("parameter", *(part["parameters"] for part in parts)),
        *compare("sha256", *(record.sha256 for record in records)),
        *(change for change in versions if None not in (change.before, change.after)),
    ]


def compare(kind: Kind, before: dict[str, Any], after: dict[str, Any]) -> list[SettingChange]:
    """Return the values that differ, by their paths in nested dicts."""
    old, new = flatten(before), flatten(after)
    return [
        SettingChange(kind=kind, name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old | new)
        if old.get(name) != new.get(name)
    ]

"""Read a finished run: its report, its rows, and what each model transcribed."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from winnow.errors import InputError
from winnow.parameters.ensemble import Settings
from winnow.reports.summary import Report
from winnow.roles import Role
from winnow.runs import ledger
from winnow.runs.completion import read_completion, read_report
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import read_schema, read_table
from winnow.runs.storage import location
from winnow.runs.verify import Verification, verify_run
from winnow.schema import roles_of


class Run:
    """A finished run, opened by `open_run`; iterating it yields every row, kept or not, in the manifest's order."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path, self.settings = path, settings

    @cached_property
    def report(self) -> Report:
        """The figures of `report.json`. WER is a fraction, durations are hours or seconds as their names say."""
        return Report.model_validate_json(read_report(self.path))

    @cached_property
    def roles(self) -> list[Role]:
        """Whose hypotheses there are: `small`, `large` and so on, or `model1`, `model2`, … and `ensemble`."""
        return roles_of(read_schema(self.files("data")[0]))

    def data(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the kept rows; see the page on columns for what they have."""
        return self._read("data", columns)

    def rejects(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the dropped and quarantined rows; `decision`, `reason` and `reasons` say why."""
        return self._read("rejects", columns)

    def hypotheses(self, role: Role) -> pa.Table:
        """Return what a model transcribed: `id`, `audio_filepath` and the model's columns without its prefix.

        Rows that the model was not given are left out. Raises `InputError` if the run has no such role.
        """
        if role not in self.roles:
            raise InputError(f"{self.path}: no role {role!r}; the run has {', '.join(self.roles)}")
        names = {name: name.removeprefix(f"{role}_") for name in self._columns if re.match(f"{role}_(?!band)", name)}
        columns = ["id", "audio_filepath", *names]
        rows = pa.concat_tables([self.data(columns), self.rejects(columns)]).sort_by("id")
        return rows.rename_columns(["id", "audio_filepath", *names.values()]).filter(
            pa.compute.field("pred_text").is_valid()
        )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield every row as a dictionary, a shard at a time."""
        for kept, rejected in zip(self.files("data"), self.files("rejects"), strict=True):
            yield from pa.concat_tables([read_table(kept), read_table(rejected)]).sort_by("id").to_pylist()

    def __len__(self) -> int:
        return self.report.utterances

    def verify(self) -> list[Verification]:
        """Count and hash all files again: every promise of the run, and whether it holds."""
        return verify_run(self.path)

    @property
    def _columns(self) -> list[str]:
        return list(read_schema(self.files("data")[0]).names)

    def _read(self, part: Literal["data", "rejects"], columns: Sequence[str] | None) -> pa.Table:
        names = None if columns is None else list(columns)
        if unknown := set(names or ()) - set(self._columns):
            raise InputError(f"{self.path}: no column {sorted(unknown)[0]!r}")
        return pa.concat_tables([read_table(file, columns=names) for file in self.files(part)])

    def files(self, part: Literal["data", "rejects"]) -> list[Path]:
        """Return the Parquet files of the kept rows, or of the others, a file for each shard."""
        return [file for file in self._published if file.parent.name == part]

    @cached_property
    def _published(self) -> list[Path]:
        return sorted(ledger.files_by_stage(self.path)["publish"])


def open_run(output: str | Path) -> Run:
    """Open the output of a finished `winnow curate`, `ensemble` or `refilter`: a folder, or one in an object store.

    Raises `OutputError` if it is not a run's folder, or if the run has not finished.
    """
    path = location(output)
    settings = load_settings(path)
    read_completion(path)
    return Run(path, settings)

"""What a benchmark measured, each model with each size of batches, and what the last run of the same key did."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from winnow.benchmarking.accuracy import Accuracy
from winnow.doctor.disk_space import check_writable
from winnow.engines.engine import Checkpoint
from winnow.errors import OutputError
from winnow.parameters.engine import EngineOptions
from winnow.parameters.maintenance import Benchmark
from winnow.runs.storage import put
from winnow.text.normalize import version_of


class ModelFigures(BaseModel, frozen=True):
    """A model with one size of batches. Where it failed, `failure` says why, and there are no figures.

    `batch` is what was asked for (null: the engine's own choice), `batch_seconds` what a batch might hold. `peak_bytes`
    are of the device's memory, on a CPU of the whole process's. `unread` counts what could not be read, by reason.
    """

    model: str
    sha256: str
    batch: float | None
    batch_seconds: float | None = None
    accuracy: Accuracy | None = None
    rtfx: float | None = None
    utterances_per_second: float | None = None
    load_seconds: float | None = None
    peak_bytes: int | None = None
    precision: str | None = None
    device: str | None = None
    unread: dict[str, int] = {}
    failure: str | None = None


class Figures(BaseModel, frozen=True):
    """A whole benchmark, as in its JSON file. `unusable` counts the manifest's lines without a reference, by reason."""

    key: str
    when: str
    manifest: str
    manifest_sha256: str
    utterances: int
    hours: float
    unusable: dict[str, int]
    device: str
    versions: dict[str, str]
    rows: list[ModelFigures]


class Change(BaseModel, frozen=True):
    """A figure then and now."""

    model: str
    batch: float | None
    figure: str
    then: float
    now: float


def comparison_key(settings: Benchmark, manifest: str, checkpoints: list[Checkpoint], device: str) -> str:
    """What runs must have in common to be compared: models, manifest, device, and whatever changes the texts."""
    engine = settings.engine.model_dump(mode="json", exclude=EngineOptions.PERFORMANCE_ONLY)
    normalizer = [settings.normalizer, version_of(settings.normalizer)]
    parts = [manifest, [one.sha256 for one in checkpoints], device, settings.hours, normalizer, engine]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def prepare_folder(output: Path) -> None:
    """Make the folder, or raise before anything is measured in vain."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        check_writable(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written to ({error.strerror})") from error


def read_last(output: Path, key: str) -> Figures | None:
    """The figures of the last run of the same key in the folder; none where a release before this one wrote them."""
    path = output / f"{key}.json"
    try:
        return Figures.model_validate_json(path.read_bytes()) if path.exists() else None
    except ValidationError:
        return None


def write_figures(output: Path, figures: Figures, text: str) -> None:
    """Write figures and tables into the folder, in the place of the last run's of the same key."""
    put(output / f"{figures.key}.json", figures.model_dump_json(indent=2).encode() + b"\n")
    put(output / f"{figures.key}.md", text.encode())


def changes(then: Figures, now: Figures) -> Iterator[Change]:
    """Each figure of the models and batches that both runs measured."""
    before = {(row.sha256, row.batch): figures_of(row) for row in then.rows}
    for row in now.rows:
        old = before.get((row.sha256, row.batch), {})
        for name, value in figures_of(row).items():
            if name in old:
                yield Change(model=row.model, batch=row.batch, figure=name, then=old[name], now=value)


def figures_of(row: ModelFigures) -> dict[str, float]:
    """The figures of a row that are known."""
    found: dict[str, float | None] = {
        "WER": row.accuracy.wer.rate if row.accuracy else None,
        "CER": row.accuracy.cer.rate if row.accuracy else None,
        "RTFx": row.rtfx,
        "utterances a second": row.utterances_per_second,
        "memory": row.peak_bytes,
        "load": row.load_seconds,
    }
    return {name: float(value) for name, value in found.items() if value is not None}

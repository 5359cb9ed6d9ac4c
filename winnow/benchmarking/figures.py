"""The figures of a benchmark, by model and batch size, their files, and their differences from the previous run's."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from winnow.benchmarking.accuracy import Accuracy
from winnow.engines.engine import Checkpoint
from winnow.errors import OutputError
from winnow.parameters.engine import EngineOptions
from winnow.parameters.maintenance import Benchmark
from winnow.runs.storage import check_writable, put


class ModelFigures(BaseModel, frozen=True):
    """The figures of a model with one batch size; only `failure`, the cause, if it could not be measured.

    `batch` is the requested batch size in seconds, None for the engine's choice; `batch_seconds` the one in use.
    `peak_bytes` is device memory, or on a CPU the memory of the whole process. `quarantined` counts utterances that
    were not transcribed, by reason. `per_1000_hours` is the cost of 1,000 hours of audio, if a device hour's is known.
    """

    model: str
    sha256: str
    batch: float | None
    batch_seconds: float | None = None
    accuracy: Accuracy | None = None
    rtfx: float | None = None
    per_1000_hours: float | None = None
    utterances_per_second: float | None = None
    load_seconds: float | None = None
    peak_bytes: int | None = None
    precision: str | None = None
    device: str | None = None
    quarantined: dict[str, int] = {}
    failure: str | None = None


class BenchmarkFigures(BaseModel, frozen=True):
    """The figures of a benchmark, as in its JSON file.

    Benchmarks with the same `key` can be compared. `unusable` counts the manifest's lines that are not an utterance
    with a reference, by reason.
    """

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
    """A figure of the previous benchmark and of this one."""

    model: str
    batch: float | None
    figure: str
    before: float
    now: float


def with_cost(row: ModelFigures, price: float | None) -> ModelFigures:
    """Add the cost of 1,000 hours of audio at this price of a device hour, if it is given and the speed is known."""
    return row.model_copy(update={"per_1000_hours": 1000 * price / row.rtfx}) if price and row.rtfx else row


def comparison_key(settings: Benchmark, manifest_sha256: str, checkpoints: list[Checkpoint], device: str) -> str:
    """Hash what comparable benchmarks must share: models, manifest, device, and every option that changes texts."""
    engine = settings.engine.model_dump(mode="json", exclude=EngineOptions.PERFORMANCE_ONLY)
    comparison = [*settings.comparison, settings.comparison.version]
    digests = [checkpoint.sha256 for checkpoint in checkpoints]
    parts = [manifest_sha256, digests, device, settings.hours, comparison, engine]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def prepare_folder(output: Path) -> None:
    """Create the output folder; raises `OutputError` if it is not writable, before anything is measured."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        check_writable(output)
    except OSError as error:
        raise OutputError(f"{output}: not writable ({error.strerror}); choose another output folder") from error


def read_previous(output: Path, key: str) -> BenchmarkFigures | None:
    """Read the figures of the previous benchmark with this key; None if there are none, or an older release's."""
    path = output / f"{key}.json"
    try:
        return BenchmarkFigures.model_validate_json(path.read_bytes()) if path.exists() else None
    except ValidationError:
        return None


def write_figures(output: Path, figures: BenchmarkFigures, text: str) -> None:
    """Write figures and tables into the folder, replacing those of the previous benchmark with the same key."""
    put(output / f"{figures.key}.json", figures.model_dump_json(indent=2).encode() + b"\n")
    put(output / f"{figures.key}.md", text.encode())


def changes(before: BenchmarkFigures, now: BenchmarkFigures) -> Iterator[Change]:
    """Yield the figures that both benchmarks have for the same model and batch size."""
    previous = {(row.sha256, row.batch): known_figures(row) for row in before.rows}
    for row in now.rows:
        earlier = previous.get((row.sha256, row.batch), {})
        for name, value in known_figures(row).items():
            if name in earlier:
                yield Change(model=row.model, batch=row.batch, figure=name, before=earlier[name], now=value)


def known_figures(row: ModelFigures) -> dict[str, float]:
    """Return the figures of a row by name, without unknown ones."""
    figures: dict[str, float | None] = {
        "WER": row.accuracy.wer.rate if row.accuracy else None,
        "CER": row.accuracy.cer.rate if row.accuracy else None,
        "RTFx": row.rtfx,
        "utterances per second": row.utterances_per_second,
        "memory": row.peak_bytes,
        "load time, s": row.load_seconds,
    }
    return {name: float(value) for name, value in figures.items() if value is not None}

"""What the flows around a curation are told: refilter, warm-up, doctor and benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from winnow.parameters.engine import EngineOptions
from winnow.parameters.filter import Filter
from winnow.parameters.redaction import redact_text
from winnow.parameters.settings import Folder, Parameters, Seconds
from winnow.text.normalize import Normalizer


def without_credentials(value: str) -> str:
    """A name without credentials, which would be recorded with it."""
    if redact_text(value) != value:
        raise ValueError("credentials do not belong in a parameter: give them in the environment")
    return value


Name = Annotated[str, AfterValidator(without_credentials)]
Names = Annotated[list[Name], Field(min_length=1)]

TRUST = "Whether models that are not pinned are taken too"


class Refilter(Parameters):
    """The parameters of the flow `refilter`."""

    run: Annotated[Folder, AfterValidator(without_credentials)] = Field(
        title="Run", description="Folder of a finished run"
    )
    output: Annotated[Folder, AfterValidator(without_credentials)] = Field(
        kw_only=True, title="Output", description="Folder of a new run, with what these rules keep"
    )
    filter: Filter = Field(
        Filter(),
        kw_only=True,
        title="Filter",
        description="What a kept utterance must satisfy, in place of the run's own rules",
    )


class DownloadModels(Parameters):
    """The parameters of the flow `download-models`."""

    models: Names = Field(
        title="Models",
        description="Checkpoints to have at hand: names on the hub (nvidia/parakeet-tdt_ctc-110m) or NGC, .nemo paths, "
        "each pinned or not as curate takes them; a folder stands for the .nemo files in it",
    )
    trust_unpinned: bool = Field(False, kw_only=True, title="Trust unpinned models", description=TRUST)


class Doctor(Parameters):
    """The parameters of the flow `doctor`."""

    small: Name | None = Field(
        None,
        kw_only=True,
        title="Small model",
        description="Checkpoint that a run is to read with, as curate takes it; empty: the run's of the output, or the "
        "demo's",
    )
    large: Name | None = Field(
        None,
        kw_only=True,
        title="Large model",
        description="The second checkpoint, as curate takes it; empty: the run's of the output, or none",
    )
    trust_unpinned: bool = Field(False, kw_only=True, title="Trust unpinned models", description=TRUST)
    output: Annotated[Folder, AfterValidator(without_credentials)] | None = Field(
        None,
        kw_only=True,
        title="Output",
        description="Folder that a run is to write to, or that holds one, whose models are looked at; empty: none",
    )


class Benchmark(Parameters):
    """The parameters of the flow `benchmark`."""

    manifest: Path = Field(
        title="Manifest",
        description="NeMo manifest with references (text) that can be relied on; relative paths start at its folder",
    )
    models: Names = Field(kw_only=True, title="Models", description="Checkpoints to be measured, as curate takes them")
    output: Path = Field(
        kw_only=True,
        title="Output",
        description="Folder for the tables (.md) and figures (.json); what it holds of the same models, manifest and "
        "device is compared with",
    )
    batch_seconds: list[Seconds] = Field(
        [],
        kw_only=True,
        title="Batches, seconds",
        description="Seconds of audio in a batch, padding included, each of which is measured; empty: what the engine "
        "finds for the model and its device",
    )
    hours: Seconds | None = Field(
        1.0,
        kw_only=True,
        title="Hours",
        description="Hours of audio that each model reads, drawn from the whole manifest, the same ones every time; "
        "empty: all",
    )
    trust_unpinned: bool = Field(False, kw_only=True, title="Trust unpinned models", description=TRUST)
    relative_to: Path | None = Field(
        None,
        kw_only=True,
        title="Relative paths start at",
        description="Folder where relative paths start; empty: the manifest's folder",
    )
    normalizer: Normalizer = Field(
        "basic",
        kw_only=True,
        title="Normalizer",
        description="What does not count when texts are compared, as in curate",
    )
    engine: EngineOptions = Field(
        EngineOptions(), kw_only=True, title="Engine", description="How audio goes through a model"
    )

    def complaints(self) -> Iterator[str]:
        if self.engine.batch_seconds is not None:
            yield "engine.batch_seconds: a benchmark takes batch_seconds, one or more"

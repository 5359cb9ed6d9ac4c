"""The parameters of the flows beside a curation: refilter, relabel, download-models, doctor and benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from winnow.parameters.audio import AudioOptions
from winnow.parameters.column_names import COLUMNS_HELP, ColumnNames
from winnow.parameters.engine import EngineOptions
from winnow.parameters.filter import Filter
from winnow.parameters.listen import LISTEN_HELP, MeasureNames
from winnow.parameters.redaction import refuse_credentials
from winnow.parameters.scoring import Scoring
from winnow.parameters.settings import Folder, Location, Parameters, Positive, Seconds
from winnow.text.comparison import Comparison
from winnow.text.normalize import Normalizer

Digest = Annotated[str, AfterValidator(refuse_credentials), Field(pattern="^([0-9a-f]{64})?$")]
"""A sha256, or nothing."""

Names = Annotated[list[str], Field(min_length=1)]

TRUST = "Accept models of a hub that are not pinned by a digest or commit"


REVIEWS_HELP = "Apply the verdicts of winnow review on the run; those that the run was made with always count"
VERDICTS_HELP = (
    "sha256 of the verdicts that a run was begun with, so that it goes on with these. Default: all there are"
)


class Refilter(Parameters):
    """The parameters of the flow `refilter`."""

    run: Folder = Field(title="Run", description="Folder of a complete run")
    output: Folder = Field(
        kw_only=True, title="Output", description="Folder of the new run, with what these rules keep"
    )
    filter: Filter = Field(
        Filter(),
        kw_only=True,
        title="Filter",
        description="Which utterances are kept, instead of the run's own rules",
    )
    listen: MeasureNames = Field(
        "",
        kw_only=True,
        title="Listen",
        description=f"{LISTEN_HELP.partition('.')[0]}. The audio is decoded for what the run has not measured. "
        "Default: what the run was asked for, and what these rules compare",
    )
    reviews: bool = Field(False, kw_only=True, title="Reviews", description=REVIEWS_HELP)
    verdicts: Digest = Field("", kw_only=True, title="Verdicts", description=VERDICTS_HELP)


class Relabel(Parameters):
    """The parameters of the flow `relabel`."""

    run: Folder = Field(title="Run", description="Folder of a complete run")
    output: Folder = Field(
        kw_only=True,
        title="Output",
        description="Folder of the new run, in which dropped rows have their proposal as their text",
    )
    reviews: bool = Field(False, kw_only=True, title="Reviews", description=REVIEWS_HELP)
    verdicts: Digest = Field("", kw_only=True, title="Verdicts", description=VERDICTS_HELP)


class DownloadModels(Parameters):
    """The parameters of the flow `download-models`."""

    models: Names = Field(
        title="Models",
        description="Checkpoints to download: models on the Hugging Face hub (nvidia/parakeet-tdt_ctc-110m) or NGC, "
        ".nemo files, or folders of .nemo files; pinned as for curate",
    )
    trust_unpinned: bool = Field(False, kw_only=True, title="Trust unpinned models", description=TRUST)


class Doctor(Parameters):
    """The parameters of the flow `doctor`."""

    small: str | None = Field(
        None,
        kw_only=True,
        title="Small model",
        description="Small model of the run to prepare for, named as for curate. Default: that of the run in output, "
        "or the demo's",
    )
    large: str | None = Field(
        None,
        kw_only=True,
        title="Large model",
        description="Large model of the run to prepare for. Default: that of the run in output, or none",
    )
    trust_unpinned: bool = Field(False, kw_only=True, title="Trust unpinned models", description=TRUST)
    output: Folder | None = Field(
        None,
        kw_only=True,
        title="Output",
        description="Folder that a run will write to, or of an existing run, whose models are checked. Default: none",
    )


class Benchmark(Parameters):
    """The parameters of the flow `benchmark`."""

    manifest: Location = Field(
        title="Manifest",
        description="NeMo manifest with reliable references (text). Relative paths start at the manifest's folder",
    )
    models: Names = Field(kw_only=True, title="Models", description="Checkpoints to measure, named as for curate")
    output: Path = Field(
        kw_only=True,
        title="Output",
        description="Folder for the tables (.md) and figures (.json). Results are compared with earlier ones in it, "
        "for the same models, manifest and device",
    )
    batch_seconds: list[Seconds] = Field(
        [],
        kw_only=True,
        title="Batch sizes in seconds",
        description="Batch sizes to measure, in seconds of audio including padding. Default: the size that the engine "
        "finds for each model and device",
    )
    hours: Seconds | None = Field(
        1.0,
        kw_only=True,
        title="Hours",
        description="Hours of audio that each model transcribes: a sample of the manifest, the same every time. To "
        "transcribe all audio, leave the field empty in the form",
    )
    trust_unpinned: bool = Field(False, kw_only=True, title="Trust unpinned models", description=TRUST)
    relative_to: Location | None = Field(
        None,
        kw_only=True,
        title="Relative to",
        description="Folder where relative paths start. Default: the manifest's folder",
    )
    columns: ColumnNames = Field("", kw_only=True, title="Columns", description=COLUMNS_HELP)
    normalizer: Normalizer = Field(
        "basic",
        kw_only=True,
        title="Normalizer",
        description="Differences to ignore when texts are compared, as for curate",
    )
    scoring: Scoring = Field(Scoring(), kw_only=True, title="Scoring", description="What counts as an error")
    audio: AudioOptions = Field(
        AudioOptions(), kw_only=True, title="Audio", description="How audio is fetched that is in no local file"
    )
    engine: EngineOptions = Field(
        EngineOptions(), kw_only=True, title="Engine", description="How models transcribe: batches, precision, decoding"
    )
    price: Positive | None = Field(
        None,
        kw_only=True,
        title="Price of a device hour",
        description="What an hour of this device costs, in any currency: the tables then say what each model costs for "
        "1,000 hours of audio",
    )

    @property
    def referenced(self) -> bool:
        """Whether every utterance must have a reference."""
        return True

    @property
    def audio_folder(self) -> str | None:
        """Where relative audio paths start; None for the folder of the input."""
        return self.relative_to

    @property
    def comparison(self) -> Comparison:
        """How hypotheses are compared with references and with each other."""
        return Comparison(self.normalizer, self.scoring.merge_compounds)

    def complaints(self) -> Iterator[str]:
        if self.engine.batch_seconds is not None:
            yield "--engine.batch-seconds: not used in a benchmark, use --batch-seconds"

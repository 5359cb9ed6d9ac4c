"""The parameters of an ensemble; those that it shares with a cascade are declared there."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from winnow.parameters.audio import AudioOptions
from winnow.parameters.column_names import ColumnNames
from winnow.parameters.curation import Curation, field_of_curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.filter import Filter
from winnow.parameters.listen import MeasureNames
from winnow.parameters.placement import Dask, Placement, check_devices, placement_complaints
from winnow.parameters.scoring import Scoring
from winnow.parameters.settings import Folder, Location, Parameters, Positive, Seconds, Share, given_flags
from winnow.roles import ENSEMBLE
from winnow.text.comparison import Comparison
from winnow.text.normalize import Normalizer
from winnow.text.rover import VoteWeights

Method = Literal["rover", "confidence"]


class Rover(Parameters):
    """How votes are counted (Fiscus 1997): alpha x share of the votes + (1 - alpha) x confidence ** exponent."""

    alpha: Share = Field(
        0.5,
        title="Weight of votes",
        description="Weight (0 to 1) of the votes, i.e. the share of models that have a word; the rest is the weight "
        "of their confidence. 1: only count votes, as always if a hypothesis has no confidence",
    )
    exponent: Positive = Field(
        0.25,
        title="Exponent",
        description="Power to which confidences are raised before weighting, because NeMo's differ by orders of "
        "magnitude; 1: use them unchanged",
    )
    null_confidence: Share | None = Field(
        None,
        title="Confidence of a missing word",
        description="Confidence (0 to 1) of a model that has no word where another model has one. Default: that of the "
        "less confident of its two neighbouring words",
    )

    @property
    def weights(self) -> VoteWeights:
        return VoteWeights(self.alpha, self.exponent, self.null_confidence)


class Ensemble(Parameters):
    """The parameters of the flow `ensemble`."""

    NOT_COMPARED: ClassVar = frozenset(  # where models are, of which the digests are compared, and where they run
        ("output", "models", "trust_unpinned", "devices", "models_placement", "dask", "price", "max_quarantined")
    )
    LOCATIONS: ClassVar = Curation.LOCATIONS
    PATHS: ClassVar = frozenset(("models", "devices"))

    manifest: Location = Field(
        title="Manifest",
        description="NeMo manifest: one JSON object per line with audio_filepath and duration, and with text if there "
        "is a reference; or one of the other forms that curate reads. Relative paths start at the manifest's folder",
    )
    output: Folder = field_of_curation("output")
    models: list[str] = Field(
        kw_only=True,
        min_length=2,
        title="Models",
        description="Two or more models, each of which transcribes everything: checkpoints, named as for curate, or "
        "manifests (.jsonl) with transcripts of another system as pred_text and, if known, their confidence",
    )
    method: Method = Field(
        "rover",
        kw_only=True,
        title="Method",
        description="rover: align the models' words and vote on each; confidence: select the hypothesis with the "
        "highest confidence, which every model must give",
    )
    rover: Rover = Field(Rover(), kw_only=True, title="ROVER", description="How votes are counted")
    filter: Filter = field_of_curation("filter")
    trust_unpinned: bool = field_of_curation("trust_unpinned")
    audio_root: Location | None = field_of_curation("audio_root")
    relative_to: Location | None = field_of_curation("relative_to")
    columns: ColumnNames = field_of_curation("columns")
    listen: MeasureNames = field_of_curation("listen")
    engine: EngineOptions = field_of_curation("engine")
    audio: AudioOptions = field_of_curation("audio")
    normalizer: Normalizer = field_of_curation("normalizer")
    scoring: Scoring = field_of_curation("scoring")
    shard_hours: Seconds = field_of_curation("shard_hours")
    max_quarantined: Share = field_of_curation("max_quarantined")
    devices: str = field_of_curation("devices")
    models_placement: Placement = Field(
        Placement(), kw_only=True, title="Models' devices", description="Which devices the models run on"
    )
    dask: Dask = field_of_curation("dask")
    price: Positive | None = field_of_curation("price")

    @property
    def comparison(self) -> Comparison:
        """How hypotheses are compared with references and with each other."""
        return Comparison(self.normalizer, self.scoring.merge_compounds)

    @property
    def checkpoints(self) -> list[str]:
        """The names of all models."""
        return self.models

    @property
    def models_by_role(self) -> dict[str, str | None]:
        """The names of the models by role, as run.json has their digests."""
        return {f"model{number}": name for number, name in enumerate(self.models, 1)}

    @property
    def roles(self) -> list[str]:
        """The roles of the models in their order, model1, model2 and so on, and of the ensemble itself."""
        return [*(f"model{number}" for number, _ in enumerate(self.models, 1)), ENSEMBLE]

    @property
    def referenced(self) -> bool:
        """Whether every utterance must have a reference."""
        return False

    @property
    def audio_folder(self) -> str | None:
        """Where relative audio paths start; None for the folder of the input."""
        return self.relative_to or self.audio_root

    @property
    def placements(self) -> list[Placement]:
        """Where the models run."""
        return [self.models_placement]

    @field_validator("devices")
    @classmethod
    def known_devices(cls, value: str) -> str:
        return check_devices(value)

    def complaints(self) -> Iterator[str]:
        yield from placement_complaints(self.devices, {"models_placement": self.models_placement}, self.dask)
        if self.method != "rover" and self.rover != Rover():
            yield f"{given_flags('rover', self.rover)}: not used, because --method {self.method} takes no vote"


Settings = Curation | Ensemble
"""The parameters of a run."""

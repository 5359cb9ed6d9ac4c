"""What a run of an ensemble is told; what it has in common with a cascade is declared there."""

from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.filter import Filter
from winnow.parameters.placement import Dask, Placement
from winnow.parameters.settings import Folder, Parameters, Seconds, Share
from winnow.roles import ENSEMBLE
from winnow.text.normalize import Normalizer
from winnow.text.rover import VoteWeights

Method = Literal["rover", "confidence"]


def field_of_curation(name: str) -> Any:
    """The field of this name as `Curation` has it."""
    return copy(Curation.model_fields[name])


class Rover(Parameters):
    """How votes are counted (Fiscus 1997): alpha x share of the votes + (1 - alpha) x confidence."""

    alpha: Share = Field(
        0.5,
        title="Weight of the votes",
        description="Weight (0 to 1) of how many models have a word, against how confident they are; 1: votes only, as "
        "always where a reading has no confidence",
    )
    exponent: Annotated[float, Field(gt=0)] = Field(
        0.25,
        title="Exponent",
        description="Power that confidences are raised to before they are weighed: NeMo's lie orders of magnitude "
        "apart; 1: as they are",
    )
    null_confidence: Share | None = Field(
        None,
        title="Confidence in nothing",
        description="Confidence (0 to 1) of a model that has no word where another has one; empty: that of the less "
        "confident of its words on either side",
    )

    @property
    def weights(self) -> VoteWeights:
        return VoteWeights(self.alpha, self.exponent, self.null_confidence)


class Ensemble(Parameters):
    """The parameters of the flow `ensemble`."""

    manifest: Path = Field(
        title="Manifest",
        description="NeMo manifest: a JSON object a line with audio_filepath and duration, and text where there is a "
        "reference; relative paths start at the manifest's folder",
    )
    output: Folder = field_of_curation("output")
    models: list[str] = Field(
        kw_only=True,
        min_length=2,
        title="Models",
        description="Two or more, named as for curate: checkpoints, or manifests (.jsonl) with another system's "
        "readings as pred_text and, if it knows it, their confidence; each reads everything",
    )
    method: Method = Field(
        "rover",
        kw_only=True,
        title="Method",
        description="rover: the models' words are aligned and put to the vote; confidence: the reading with the "
        "highest confidence, where each has one",
    )
    rover: Rover = Field(Rover(), kw_only=True, title="ROVER", description="How votes are counted")
    filter: Filter = field_of_curation("filter")
    trust_unpinned: bool = field_of_curation("trust_unpinned")
    audio_root: Path | None = field_of_curation("audio_root")
    relative_to: Path | None = field_of_curation("relative_to")
    engine: EngineOptions = field_of_curation("engine")
    normalizer: Normalizer = field_of_curation("normalizer")
    shard_hours: Seconds = field_of_curation("shard_hours")
    max_quarantined: Share = field_of_curation("max_quarantined")
    devices: str = field_of_curation("devices")
    models_placement: Placement = Field(
        Placement(), kw_only=True, title="Models on", description="Which devices the models run on"
    )
    dask: Dask = field_of_curation("dask")

    @property
    def checkpoints(self) -> list[str]:
        return self.models

    @property
    def roles(self) -> list[str]:
        return [*(f"model{number}" for number, _ in enumerate(self.models, 1)), ENSEMBLE]

    @property
    def referenced(self) -> bool:
        return False

    @property
    def placements(self) -> list[Placement]:
        return [self.models_placement]

    @field_validator("manifest", "output", "models", "audio_root", "relative_to")
    @classmethod
    def no_credentials(cls, value: object) -> object:
        return Curation.no_credentials(value)

    @field_validator("devices")
    @classmethod
    def a_place(cls, value: str) -> str:
        return Curation.a_place(value)

    def complaints(self) -> Iterator[str]:
        if self.devices == "inline" and (self.models_placement != Placement() or self.dask != Dask()):
            yield "models_placement and dask: devices is inline, so there are no workers to choose from"
        if self.devices != "local" and self.dask.workers:
            yield "dask.workers: only devices: local starts workers"
        if self.method != "rover" and self.rover != Rover():
            yield f"rover: method is {self.method}, so there is no vote"


Settings = Curation | Ensemble

"""What to select models for, and the models of one language."""

from typing import Literal

from pydantic import Field

from winnow.parameters.settings import Parameters, Seconds

AUTO = "auto"
"""The name of a model that is to be selected from the catalogue."""

Domain = Literal["general", "telephony", "streaming", "noisy"]

Quality = Literal["fastest", "balanced", "highest"]


class Selection(Parameters):
    """What a model given as `auto` must be able to do."""

    language: str | None = Field(
        None,
        title="Language",
        description="Spoken language, e.g. de, or de,fr for models that know both. Default: the lang of the "
        "manifest's rows",
    )
    domain: Domain = Field("general", title="Domain", description="Kind of speech")
    quality: Quality = Field(
        "balanced",
        title="Quality",
        description="fastest, balanced or highest. For more than 1,000 hours, balanced selects as fastest does",
    )
    use: Literal["commercial", "research"] = Field(
        "commercial",
        title="Use",
        description="commercial: only models whose licence is known to allow commercial use; research: any model",
    )
    hours: Seconds | None = Field(
        None, title="Hours", description="Hours of audio. Default: the sum of the manifest's durations"
    )
    memory: Seconds | None = Field(
        None, title="Memory", description="Memory of the device in GB. Default: that of this machine's device"
    )

    @property
    def languages(self) -> tuple[str, ...]:
        """The spoken languages."""
        names = (name.strip().lower() for name in (self.language or "").split(","))
        return tuple(name for name in names if name)


class Route(Parameters):
    """The models of one language."""

    small: str = Field(
        title="Small model", description="Checkpoint that transcribes the utterances of this language, or auto"
    )
    large: str | None = Field(
        None,
        title="Large model",
        description="Checkpoint that transcribes what the gate escalates of this language, or auto. Default: none, the "
        "small model decides",
    )

"""What models are selected for, and the models of one language."""

from typing import Literal

from pydantic import Field

from winnow.parameters.settings import Parameters, Seconds

AUTO = "auto"
"""In the place of a checkpoint: one of the catalogue's is chosen."""


Domain = Literal["general", "telephony", "streaming", "noisy"]


Quality = Literal["fastest", "balanced", "highest"]


class Selection(Parameters):
    """What models are to be chosen for, where one is `auto`."""

    language: str | None = Field(
        None,
        title="Language",
        description="What is spoken, such as de, or de,fr for models that read both; empty: what the manifest's rows "
        "say as lang",
    )
    domain: Domain = Field(
        "general", title="Domain", description="What kind of speech: general, telephony, streaming or noisy"
    )
    quality: Quality = Field(
        "balanced",
        title="Quality",
        description="fastest, balanced or highest; over 1,000 hours balanced becomes fastest",
    )
    use: Literal["commercial", "research"] = Field(
        "commercial",
        title="Use",
        description="commercial: no models whose licence forbids that or is not known; research: any",
    )
    hours: Seconds | None = Field(
        None, title="Hours", description="Hours of audio; empty: what the manifest states in its durations"
    )
    memory: Seconds | None = Field(
        None, title="Memory", description="Gigabytes of memory of the device; empty: of the one that is there"
    )

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(filter(None, (one.strip().lower() for one in (self.language or "").split(","))))


class Route(Parameters):
    """The models of one language."""

    small: str = Field(title="Small model", description="Checkpoint that reads the rows of this language, or auto")
    large: str | None = Field(
        None,
        title="Large model",
        description="Checkpoint that reads what the gate escalates of them, or auto; empty: the small one decides",
    )

"""What a catalogue's file may say: its models, and what they are chosen by."""

from pydantic import BaseModel, ConfigDict

from winnow.parameters.selection import Domain, Quality


class CatalogEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoreProtocol(CatalogEntry):
    """What a published figure was measured on, in which languages (none: in the model's own), and who says so."""

    words: str
    languages: tuple[str, ...] = ()
    source: str | None = None
    note: str | None = None


class Score(CatalogEntry):
    """A published word error rate (a fraction), and how many times faster than real time."""

    wer: float
    rtfx: float | None = None


class Licence(CatalogEntry):
    """What a licence allows, as far as it matters here."""

    words: str
    permissive: bool = False
    commercial: bool = True


class Model(CatalogEntry):
    """A checkpoint and what is known of it; null is unknown. `checkpoint` is what a run takes."""

    name: str
    checkpoint: str
    revision: str | None = None
    sha256: str | None = None
    listed: bool = False
    parameters: int | None = None
    decoder: str
    family: str | None = None
    languages: tuple[str, ...]
    punctuation: bool | None = None
    timestamps: bool | None = None
    streaming: tuple[int, ...] = ()
    sample_rate: int = 16_000
    max_seconds: float | None = None
    max_seconds_local: float | None = None
    file_mb: float | None = None
    memory_gb: float | None = None
    licence: str | None = None
    scores: dict[str, Score] = {}
    note: str | None = None

    @property
    def place(self) -> str:
        """What a run takes for it, with its pin where one is known."""
        if self.sha256:
            return f"{self.checkpoint}@sha256:{self.sha256}"
        return f"{self.checkpoint}@{self.revision}" if self.revision else self.checkpoint

    @property
    def decodes(self) -> str:
        """How it makes text of sound; a hybrid's transducer is what reads."""
        return self.decoder.removeprefix("hybrid ").partition("+")[0].partition(" ")[0]

    @property
    def weights_gb(self) -> float | None:
        """What its parameters take in fp32, as it is loaded."""
        return self.parameters * 4 / 1e9 if self.parameters else None


class ModelPair(CatalogEntry):
    """A fast model and a better one of another kind, for what they are meant, and why these."""

    small: str
    large: str | None = None
    qualities: tuple[Quality, ...] = ("fastest", "balanced", "highest")
    domains: tuple[Domain, ...] = ()
    why: str


class ResourceProfile(CatalogEntry):
    """What models of up to so many parameters take of a device, and the utterances of a batch by its gigabytes."""

    name: str
    parameters: int | None = None
    share: float
    cores: float
    memory_gb: float
    batch: dict[int, int]


class GuideName(CatalogEntry):
    """What a name of the guide means today, and why; whether it exists as it stands there."""

    means: str
    exists: bool = False
    why: str

"""The form of a catalogue file: its models, and what they are selected by."""

from pydantic import BaseModel, ConfigDict

from winnow.digests import PIN_PREFIX
from winnow.parameters.selection import Domain, Quality


class CatalogEntry(BaseModel):
    """A part of a catalogue file; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoreProtocol(CatalogEntry):
    """What a published figure was measured on, and who published it; without languages, in those of the model."""

    description: str
    languages: tuple[str, ...] = ()
    source: str | None = None
    note: str | None = None


class Score(CatalogEntry):
    """A published word error rate (a fraction) and RTFx."""

    wer: float
    rtfx: float | None = None


class Licence(CatalogEntry):
    """What a licence allows; `terms` completes the sentence "the licence …"."""

    terms: str
    permissive: bool = False
    commercial: bool = True


class Model(CatalogEntry):
    """A checkpoint and what is known of it; None means unknown; for `family`, that no engine can load it.

    `checkpoint` is the name that a run takes, without a pin; `listed` tells whether NeMo's own list for NGC has it.
    """

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
    def run_name(self) -> str:
        """The name that a run takes, with its pin if one is known."""
        if self.sha256:
            return f"{self.checkpoint}{PIN_PREFIX}{self.sha256}"
        return f"{self.checkpoint}@{self.revision}" if self.revision else self.checkpoint

    @property
    def pinned(self) -> bool:
        return self.run_name != self.checkpoint

    @property
    def decoder_type(self) -> str:
        """CTC, RNNT, TDT or AED; of a hybrid, its transducer."""
        return self.decoder.removeprefix("hybrid ").partition("+")[0].partition(" ")[0]

    @property
    def weights_gb(self) -> float | None:
        """The size of its parameters in fp32, as they are loaded, in GB."""
        return self.parameters * 4 / 1e9 if self.parameters else None


class ModelPair(CatalogEntry):
    """A fast model and a better one with another decoder, what they are meant for, and why they were paired."""

    small: str
    large: str | None = None
    qualities: tuple[Quality, ...] = ("fastest", "balanced", "highest")
    domains: tuple[Domain, ...] = ()
    why: str


class ResourceProfile(CatalogEntry):
    """A size class: what models of at most `parameters` parameters take of a device.

    `batch` maps gigabytes of device memory to utterances in a batch.
    """

    name: str
    parameters: int | None = None
    share: float
    cores: float
    memory_gb: float
    batch: dict[int, int]


class GuideName(CatalogEntry):
    """What a name in the guide means today, and why; `exists` tells whether there is a model of exactly that name."""

    means: str
    exists: bool = False
    why: str

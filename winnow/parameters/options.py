"""How models are chosen, read and placed: the parameters that flows have in common."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

Fraction = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Folder = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]
Seconds = Annotated[float, Field(gt=0)]
AUTO = "auto"
"""In the place of a checkpoint: one of the catalogue's is chosen."""
Domain = Literal["general", "telephony", "streaming", "noisy"]
Quality = Literal["fastest", "balanced", "highest"]


class OptionError(Exception):
    """An option that these models or this device cannot follow."""

    exit_code = 2


AS_RECORDED = {"recorded": True}
"""The context in which parameters that a run was begun with are read again: they are not asked to fit each other."""


class Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def complaints(self) -> Iterator[str]:
        """Which parameters do not fit each other, and why."""
        return iter(())

    @model_validator(mode="after")
    def fitting(self, info: ValidationInfo) -> Self:
        if info.context != AS_RECORDED and (complaint := next(self.complaints(), None)):
            raise ValueError(complaint)
        return self


def default_of(given: BaseModel, name: str) -> object:
    return type(given).model_fields[name].default


class Engine(Parameters):
    """How audio goes through a model. What a run's models cannot do is refused, not ignored."""

    MANNER: ClassVar = {"batch_seconds", "batch_size", "cuda_graphs"}
    """What changes how fast texts come, and not the texts."""

    batch_seconds: Seconds | None = Field(
        None,
        title="Batch, seconds",
        description="Seconds of audio in a batch, padding included; empty: found for the model and its device",
    )
    batch_size: Annotated[int, Field(ge=1)] | None = Field(
        None, title="Batch, utterances", description="Utterances in a batch at most; empty: no limit but the seconds"
    )
    max_seconds: Seconds = Field(
        120,
        title="Longest utterance",
        description="Seconds; longer audio is quarantined as TOO_LONG, since memory grows with its square",
    )
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto",
        title="Precision",
        description="Of the encoder; auto: bf16 where the device computes in it (fp16 on older GPUs), but fp32 for "
        "small models on a CPU, which bf16 makes slower",
    )
    branch: Literal["transducer", "ctc"] | None = Field(
        None, title="Branch", description="Which decoder of a hybrid checkpoint reads; empty: the transducer"
    )
    cuda_graphs: bool | None = Field(
        None,
        title="CUDA graphs",
        description="Whether transducers decode in CUDA graphs; empty: where there is a GPU",
    )
    local_attention: Annotated[int, Field(ge=1)] | None = Field(
        None,
        title="Local attention",
        description="Frames that the encoder sees on either side (NeMo's models: 128, of 80 ms), so that memory grows "
        "with the length and no longer with its square; empty: as the checkpoint was trained",
    )
    language: str | None = Field(
        None,
        title="Language",
        description="Spoken language, for models with a prompt (canary), such as en; empty: the row's lang, or the "
        "prompt's where it has none",
    )
    target_language: str | None = Field(
        None,
        title="Language of the text",
        description="For models with a prompt: other than the spoken one, it asks for a translation; empty: the same",
    )
    punctuation: bool | None = Field(
        None,
        title="Punctuation",
        description="For models with a prompt: whether texts have punctuation and capitals; empty: the prompt's own",
    )
    timestamps: bool = Field(
        False, title="Timestamps", description="Whether the words of the reading get their start and end, in seconds"
    )


class Placement(Parameters):
    """Which devices a pass runs on, and how much of one each of its shards takes."""

    pool: str | None = Field(
        None,
        title="Worker pool",
        description="Only workers of this pool, which a Dask worker belongs to by its resources "
        '(--resources "GPU=1 a100=1": GPU, and the pool a100); empty: those with a GPU, or all where there is none',
    )
    device_id: str | None = Field(
        None,
        title="Devices by name",
        description="Only these devices, by the names of their workers, such as cuda:0,cuda:2; empty: any",
    )
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, title="Share of a device", description="What a shard takes of a device (0 to 1): at 0.25, four run at once"
    )
    cpus: Annotated[float, Field(gt=0)] | None = Field(
        None,
        title="Cores",
        description="Cores that a shard takes of its worker beside, of those that it has (--resources CPU=16)",
    )
    memory: Annotated[float, Field(gt=0)] | None = Field(
        None,
        title="Memory",
        description="Gigabytes of main memory that a shard takes of its worker, of those that it has "
        "(--resources MEMORY=64)",
    )


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


class Dask(Parameters):
    """Dask workers: on this machine (devices: local), or wherever they joined a scheduler."""

    workers: Annotated[int, Field(ge=1)] | None = Field(
        None,
        title="CPU workers",
        description="Of devices: local, on a machine without a GPU; they divide its cores. Empty: one",
    )
    tls_ca_file: Path | None = Field(None, title="TLS authority", description="Certificate that workers are checked by")
    tls_cert: Path | None = Field(None, title="TLS certificate", description="This client's certificate")
    tls_key: Path | None = Field(None, title="TLS key", description="The key of this client's certificate")
    allow_unencrypted: bool = Field(
        False,
        title="Allow unencrypted",
        description="Whether a scheduler that other machines reach is used without TLS: who reaches it runs code there",
    )

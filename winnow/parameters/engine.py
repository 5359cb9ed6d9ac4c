"""How audio goes through a model."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from winnow.parameters.settings import Parameters, Seconds


class EngineOptions(Parameters):
    """How audio goes through a model. What a run's models cannot do is refused, not ignored."""

    PERFORMANCE_ONLY: ClassVar = {"batch_seconds", "batch_size", "cuda_graphs"}
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
    decoder: Literal["transducer", "ctc"] | None = Field(
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

"""How models transcribe."""

from typing import ClassVar, Literal

from pydantic import Field

from winnow.parameters.settings import Count, Parameters, Positive, Seconds


class EngineOptions(Parameters):
    """How models transcribe. An option that no model of the run supports is refused, not ignored."""

    OF_ENDPOINTS: ClassVar = ("requests_at_once", "requests_per_minute", "max_requests", "max_hours", "request_seconds")
    """Options that concern endpoints alone."""

    PERFORMANCE_ONLY: ClassVar = {"batch_seconds", "batch_size", "cuda_graphs", *OF_ENDPOINTS}
    """Options that change speed and memory, but not the texts."""

    NOT_COMPARED: ClassVar = frozenset(PERFORMANCE_ONLY)

    batch_seconds: Seconds | None = Field(
        None,
        title="Batch size in seconds",
        description="Seconds of audio per batch, including padding. Default: found for each model and device",
    )
    batch_size: Count | None = Field(
        None,
        title="Batch size in utterances",
        description="Highest number of utterances per batch. Default: limited by batch_seconds only",
    )
    max_seconds: Seconds = Field(
        120,
        title="Longest utterance",
        description="Seconds; longer audio is quarantined as TOO_LONG, because memory grows with the square of the "
        "duration",
    )
    precision: Literal["auto", "fp32", "fp16", "bf16"] = Field(
        "auto",
        title="Precision",
        description="Precision of the encoder. auto: bf16 if the device supports it, fp16 on older GPUs, and fp32 for "
        "small models on a CPU, where bf16 is slower",
    )
    decoder: Literal["transducer", "ctc"] | None = Field(
        None, title="Decoder", description="Decoder of a hybrid checkpoint to use. Default: transducer"
    )
    cuda_graphs: bool | None = Field(
        None,
        title="CUDA graphs",
        description="Use CUDA graphs to decode transducers. Default: yes, if there is a GPU",
    )
    local_attention: Count | None = Field(
        None,
        title="Local attention",
        description="Frames that the encoder attends to on either side (NeMo uses 128 frames of 80 ms), so that memory "
        "grows with the duration and not with its square. Default: as the checkpoint was trained",
    )
    language: str | None = Field(
        None,
        title="Language",
        description="Spoken language for models with a prompt (canary), e.g. en. Default: the row's lang, or the "
        "language of the model's own prompt",
    )
    target_language: str | None = Field(
        None,
        title="Target language",
        description="Language of the text for models with a prompt; if it is not the spoken language, the "
        "model translates. Default: the spoken language",
    )
    punctuation: bool | None = Field(
        None,
        title="Punctuation",
        description="Write punctuation and capital letters, for models with a prompt. Default: as in the model's own "
        "prompt",
    )
    timestamps: bool = Field(
        False, title="Timestamps", description="Add start and end in seconds to each word of the hypothesis"
    )
    evidence: bool = Field(
        True,
        title="Evidence",
        description="Compute how likely each reference is under each model that transcribes it, compared with what the "
        "model read",
    )
    doubtful_words: bool = Field(
        False,
        title="Doubtful words",
        description="Add each stretch of words where the reference differs from the hypothesis, with its place, its "
        "time and how much more likely the hypothesis is there",
    )
    requests_at_once: Count | None = Field(
        None, title="Requests at once", description="Requests that an endpoint gets at the same time. Default: 8"
    )
    requests_per_minute: Count | None = Field(
        None,
        title="Requests per minute",
        description="Most requests that an endpoint gets in a minute. Default: no limit",
    )
    request_seconds: Seconds | None = Field(
        None, title="Timeout of a request", description="Seconds until an endpoint must have answered. Default: 120"
    )
    max_requests: Count | None = Field(
        None,
        title="Budget in requests",
        description="Most requests that the run sends to endpoints, retries included; then it stops with exit code 13, "
        "and goes on with a higher number. Default: no limit",
    )
    max_hours: Positive | None = Field(
        None,
        title="Budget in hours",
        description="Most hours of audio that the run sends to endpoints, retries included. Default: no limit",
    )

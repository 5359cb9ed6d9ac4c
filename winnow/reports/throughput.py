"""What passes took."""

from pydantic import BaseModel


class Throughput(BaseModel, frozen=True):
    """What one pass read and how long it took; null where nothing was read.

    `pinned` says whether the checkpoint's name says which file it must be; `seconds` of the shards, with decoding;
    `model_seconds` of them in the model, as if its lanes were one; `peak_device_bytes` the most that it took of a
    device's memory, null on a CPU.
    """

    checkpoint: str
    utterances: int
    hours: float
    seconds: float
    model_seconds: float
    x_real_time: float | None
    utterances_per_second: float | None
    padding: float | None
    pinned: bool
    device: str | None
    precision: str | None
    peak_device_bytes: int | None
    models: list["Throughput"] = []
    """The same of each model, where the pass has several."""

"""How fast each pass was."""

from pathlib import Path

from pydantic import BaseModel

from winnow.engines.engine import Checkpoint
from winnow.engines.registry import engine_for
from winnow.roles import Role
from winnow.runs import ledger


class Throughput(BaseModel, frozen=True):
    """How much one pass transcribed and how long it took; rates are None if it transcribed nothing.

    `pinned` is True if the checkpoints' names fix their content. `seconds` includes decoding the audio,
    `model_seconds` only the time in the model, averaged over its threads. `padding` is the fraction of a batch that is
    padding. `peak_device_bytes` is the largest device memory in use, None on a CPU. `on_devices` is False if
    other machines ran the model, behind an endpoint.
    """

    checkpoint: str
    utterances: int
    hours: float
    seconds: float
    model_seconds: float
    rtfx: float | None
    utterances_per_second: float | None
    padding: float | None
    pinned: bool
    device: str | None
    precision: str | None
    peak_device_bytes: int | None
    on_devices: bool = True
    models: list["Throughput"] = []
    """The throughput of each model, if the pass has several."""


Passes = dict[Role, tuple[list[Checkpoint], list[Path]]]
"""The checkpoints of each pass, and the shards that it wrote."""


def measure_throughput(run: Path, passes: Passes) -> dict[Role, Throughput]:
    """Sum up the ledger's records of each pass, and of each model in a pass with a model per language."""
    records = ledger.records_by_file(run)
    speed: dict[Role, Throughput] = {}
    for role, (checkpoints, shards) in passes.items():
        facts = list({id(records[shard]): records[shard]["facts"] for shard in shards}.values())
        speed[role] = throughput_of_pass(checkpoints, facts)
    return speed


def throughput_of_pass(checkpoints: list[Checkpoint], facts: list[ledger.Facts]) -> Throughput:
    """Sum up the facts of a pass's shards, and those of each of its models."""
    return throughput_of(checkpoints, facts).model_copy(update={"models": by_model(checkpoints, facts)})


def by_model(checkpoints: list[Checkpoint], facts: list[ledger.Facts]) -> list[Throughput]:
    """Return the throughput of each checkpoint that transcribed something; nothing if there is only one."""
    if len(checkpoints) < 2:
        return []
    by_sha256 = [fact.get("models", {}) for fact in facts]
    own_facts = {model: [by[model.sha256] for by in by_sha256 if model.sha256 in by] for model in checkpoints}
    return [throughput_of([model], own) for model, own in own_facts.items() if own]


def throughput_of(checkpoints: list[Checkpoint], facts: list[ledger.Facts]) -> Throughput:
    """Sum up the facts that the ledger keeps of these checkpoints' shards."""
    spent = {
        name: sum(fact.get(name, 0.0) for fact in facts)
        for name in ("utterances", "audio_seconds", "padded_seconds", "seconds")
    }
    hardware = {name: distinct_values(facts, name) for name in ("device", "precision")}
    peaks = [fact["peak_device_bytes"] for fact in facts if fact.get("peak_device_bytes")]
    seconds = spent["seconds"]
    return Throughput(
        checkpoint=", ".join(checkpoint.name for checkpoint in checkpoints),
        pinned=all(checkpoint.pinned for checkpoint in checkpoints),
        utterances=int(spent["utterances"]),
        hours=spent["audio_seconds"] / 3600,
        seconds=seconds,
        model_seconds=sum(fact["model_seconds"] / fact["threads"] for fact in facts if "threads" in fact),
        rtfx=spent["audio_seconds"] / seconds if seconds else None,
        utterances_per_second=spent["utterances"] / seconds if seconds else None,
        padding=1 - spent["audio_seconds"] / spent["padded_seconds"] if spent["padded_seconds"] else None,
        peak_device_bytes=max(peaks, default=None),
        on_devices=any(not engine_for(checkpoint.name).elsewhere for checkpoint in checkpoints),
        **hardware,
    )


def distinct_values(facts: list[ledger.Facts], name: str) -> str | None:
    """Join the different values of a fact with commas; None if no shard has one."""
    return ", ".join(sorted({fact[name] for fact in facts if fact.get(name)})) or None

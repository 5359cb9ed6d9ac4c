"""What passes took."""

from pathlib import Path

from pydantic import BaseModel

from winnow.engines.engine import Checkpoint
from winnow.roles import Role
from winnow.runs import ledger


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
    rtfx: float | None
    utterances_per_second: float | None
    padding: float | None
    pinned: bool
    device: str | None
    precision: str | None
    peak_device_bytes: int | None
    models: list["Throughput"] = []
    """The same of each model, where the pass has several."""


Passes = dict[Role, tuple[list[Checkpoint], list[Path]]]
"""The checkpoints of each pass, and its shards."""


def speed_of(run: Path, passes: Passes) -> dict[Role, Throughput]:
    """What each pass took, summed over its shards' records; where languages have models of their own, of each model."""
    records = ledger.records_by_file(run)
    found: dict[Role, Throughput] = {}
    for role, (checkpoints, shards) in passes.items():
        facts = list({id(records[shard]): records[shard]["facts"] for shard in shards}.values())
        parts = [
            (one, [fact["readers"][one.sha256] for fact in facts if one.sha256 in fact.get("readers", {})])
            for one in checkpoints
        ]
        models = [speed([one], mine) for one, mine in parts if mine] if len(checkpoints) > 1 else []
        found[role] = speed(checkpoints, facts).model_copy(update={"models": models})
    return found


def speed(checkpoints: list[Checkpoint], facts: list[ledger.Facts]) -> Throughput:
    """What checkpoints took, by the facts of the records."""
    spent = {
        name: sum(fact.get(name, 0.0) for fact in facts)
        for name in ("utterances", "audio_seconds", "padded_seconds", "seconds")
    }
    said = {name: distinct_values(facts, name) for name in ("device", "precision")}
    peaks = [fact["peak_device_bytes"] for fact in facts if fact.get("peak_device_bytes")]
    seconds = spent["seconds"]
    return Throughput(
        checkpoint=", ".join(one.name for one in checkpoints),
        pinned=all(one.pinned for one in checkpoints),
        utterances=int(spent["utterances"]),
        hours=spent["audio_seconds"] / 3600,
        seconds=seconds,
        model_seconds=sum(fact["model_seconds"] / fact["threads"] for fact in facts if "threads" in fact),
        rtfx=spent["audio_seconds"] / seconds if seconds else None,
        utterances_per_second=spent["utterances"] / seconds if seconds else None,
        padding=1 - spent["audio_seconds"] / spent["padded_seconds"] if spent["padded_seconds"] else None,
        peak_device_bytes=max(peaks, default=None),
        **said,
    )


def distinct_values(facts: list[ledger.Facts], name: str) -> str | None:
    """What the shards say of this, each answer once."""
    return ", ".join(sorted({fact[name] for fact in facts if fact.get(name)})) or None

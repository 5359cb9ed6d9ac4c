"""What models of a size class take of a device: the guide's figures, limited to what the machine has."""

from winnow.hardware import CPU_BATCH_SECONDS, MAX_BATCH_SECONDS, MEMORY_SHARE, Machine
from winnow.models.catalog_schema import ResourceProfile
from winnow.parameters.placement import Placement


def placement_for(profile: ResourceProfile, machine: Machine) -> Placement:
    """Return what a shard takes of a device, at most its share of the machine."""
    if not machine.gpu:
        return Placement()
    return Placement(
        share=profile.share,
        cpus=min(profile.cores, profile.share * machine.cores),
        memory=min(profile.memory_gb, profile.share * machine.main_memory),
    )


def describe_device(profile: ResourceProfile, machine: Machine) -> str:
    """Describe what a shard takes of the machine's device, and its batches there."""
    if not machine.gpu:
        return describe_cpu(machine)
    return f"{describe_share(profile, machine)}; {describe_batch(profile, machine.memory)}"


def describe_share(profile: ResourceProfile, machine: Machine) -> str:
    """Describe what a shard takes of a GPU and its machine."""
    placement = placement_for(profile, machine)
    reduced = (placement.cpus, placement.memory) != (profile.cores, profile.memory_gb)
    limits = f"{profile.cores:g} of the cores and {profile.memory_gb:g} GB"
    note = f" (reduced from the guide's {limits} to what this machine has)" if reduced else ""
    share = f"{profile.share:g} of a GPU, {placement.cpus:g} of the cores and {placement.memory:.1f} GB of main memory"
    return f"size class {profile.name}: a shard takes {share}{note}"


def describe_batch(profile: ResourceProfile, memory: float) -> str:
    """Describe how the size of batches is found, and the guide's estimate for a device of `memory` GB."""
    known = [utterances for gigabytes, utterances in profile.batch.items() if gigabytes <= memory]
    estimate = f"the guide estimates {max(known)} utterances" if known else "the guide has no estimate below 8 GB"
    return (
        f"batches: measured when the model is loaded ({MEMORY_SHARE:.0%} of the free memory, at most "
        f"{MAX_BATCH_SECONDS:,.0f} padded seconds); {estimate}"
    )


def describe_cpu(machine: Machine) -> str:
    return (
        f"no GPU: a shard takes all {machine.cores} cores, since sharing them gains nothing; batches of "
        f"{CPU_BATCH_SECONDS:g} padded seconds per core"
    )


def describe_precision(machine: Machine) -> str:
    """Describe which precision `engine.precision auto` chooses."""
    if not machine.gpu:
        return "fp32, or bf16 if the engine measures that this CPU multiplies much faster in it"
    return "bf16, as in the published measurements" if machine.bf16 else "fp16, since this GPU does not support bf16"

"""What models of a size take of a device: the guide's figures as a start, what is there as the limit."""

from winnow.hardware import CPU_BATCH_SECONDS, MAX_BATCH_SECONDS, MEMORY_SHARE, Machine
from winnow.models.catalog_schema import ResourceProfile
from winnow.parameters.placement import Placement


def placement_for(size: ResourceProfile, machine: Machine) -> Placement:
    """What a shard takes of a device for a model of this size, no more than its share of what is there."""
    if not machine.gpu:
        return Placement()
    cores, memory = (min(most, size.share * there) for most, there in requested_and_available(size, machine))
    return Placement(share=size.share, cpus=cores, memory=memory)


def requested_and_available(size: ResourceProfile, machine: Machine) -> list[tuple[float, float]]:
    """Cores and main memory in GB: what the size asks for, and what there is."""
    return [(size.cores, machine.cores), (size.memory_gb, machine.main_memory)]


def describe_share(size: ResourceProfile, machine: Machine) -> str:
    """What a shard takes of a GPU and its machine, in words."""
    found = placement_for(size, machine)
    (cores, _), (memory, _) = requested_and_available(size, machine)
    smaller = (found.cpus, found.memory) != (cores, memory)
    why = f" (the guide's {cores:g} and {memory:g} GB made smaller: there is no more)" if smaller else ""
    taken = f"{found.memory:.1f} GB of main memory, and of cores {found.cpus:g}"
    return f"counts as {size.name}, so a shard takes {size.share:g} of a GPU, {taken}{why}"


def describe_batch(size: ResourceProfile, memory: float) -> str:
    """How large batches are: the guide's figure is where one would start, the engine's own measurement counts."""
    known = [number for gigabytes, number in size.batch.items() if gigabytes <= memory]
    prior = f"the guide's {max(known)} utterances are a guess" if known else "the guide has no figure below 8 GB"
    return (
        f"batches: {prior}, what counts is what the engine measures when it loads the model "
        f"({MEMORY_SHARE:.0%} of the free memory, at most {MAX_BATCH_SECONDS:,.0f} padded seconds)"
    )


def describe_cpu(machine: Machine) -> str:
    return (
        f"no GPU: a shard has all {machine.cores} cores, since sharing them gains nothing; batches of "
        f"{CPU_BATCH_SECONDS:g} padded seconds a core, as was measured"
    )


def describe_precision(machine: Machine) -> str:
    """What engine.precision auto comes to."""
    if not machine.gpu:
        return "fp32, or bf16 where this CPU multiplies much faster in it, which the engine measures"
    return "bf16, as the published figures were measured in" if machine.bf16 else "fp16, since this GPU has no bf16"

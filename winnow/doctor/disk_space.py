"""Whether a run has enough room: on the disks that it writes to, and in memory."""

from collections.abc import Iterator
from pathlib import Path

from winnow.doctor.findings import Finding, failed, ok, warning
from winnow.reports.formatting import format_gibibytes
from winnow.runs.storage import check_writable

MIN_DISK_BYTES = 2**30  # for what a run writes besides its models
CHECKPOINT_FACTOR = 2  # on disk: the private copy, and weights during the preflight; in memory: while it is loaded
PROCESS_BYTES = 2**30  # memory: a run of the demo's small model took 0.9 GiB, including its server


def check_checkpoint_cache(folder: Path, missing_bytes: int, free: int) -> Iterator[Finding]:
    """Check that models of this size can be copied into the folder, and that nobody else can change the copies."""
    from winnow.engines.checkpoint_cache import private_folder
    from winnow.errors import CheckpointError

    name, elsewhere = "checkpoint cache", "set WINNOW_CACHE to a folder of yours"
    try:
        check_writable(private_folder(folder))
    except CheckpointError as error:
        message, _, remedy = str(error).partition("; ")
        yield failed(name, message, remedy)
    except OSError as error:
        yield failed(name, f"{folder}: not writable ({error.strerror})", f"make it writable, or {elsewhere}")
    else:
        needed = CHECKPOINT_FACTOR * missing_bytes + MIN_DISK_BYTES
        yield check_space(name, folder, needed, free, f"free some space, or {elsewhere} on another disk")


def check_hub_cache(folder: Path, missing_bytes: int, free: int) -> Iterator[Finding]:
    """Check that models of this size can be downloaded into the folder."""
    name, elsewhere = "hub cache", "set HF_HOME to another folder"
    if not missing_bytes:
        yield ok(name, f"{folder}: nothing to download")
        return
    try:
        check_writable(folder)
    except OSError as error:
        yield failed(name, f"{folder}: not writable ({error.strerror})", f"make it writable, or {elsewhere}")
    else:
        yield check_space(name, folder, missing_bytes + MIN_DISK_BYTES, free, f"free some space, or {elsewhere}")


def check_output(folder: Path, free: int) -> Iterator[Finding]:
    """Check that the folder is new, empty or a run's, and has room for a run."""
    name = "output"
    entries = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if entries and not entries & {"run.json", "_lock"}:
        yield failed(name, f"{folder}: neither empty nor the folder of a run", "choose another output folder")
        return
    try:
        check_writable(folder)
    except OSError as error:
        yield failed(
            name, f"{folder}: not writable ({error.strerror})", "make it writable, or choose another output folder"
        )
    else:
        yield check_space(name, folder, MIN_DISK_BYTES, free, "free some space, or choose an output on another disk")


def check_memory(model_bytes: int, free: int) -> Iterator[Finding]:
    """Check that models of this size can be loaded into the machine's memory."""
    needed = PROCESS_BYTES + CHECKPOINT_FACTOR * model_bytes
    message = f"{format_gibibytes(free)} free, about {format_gibibytes(needed)} needed"
    if free < PROCESS_BYTES:
        yield failed("memory", message, "stop other programs, or use a machine with more memory")
    elif free < needed:
        yield warning("memory", message, "stop other programs, or choose smaller models")
    else:
        yield ok("memory", message)


def check_space(name: str, folder: Path, needed: int, free: int, remedy: str) -> Finding:
    """Compare the free bytes of the folder's disk with what is needed."""
    message = f"{folder}: {format_gibibytes(free)} free, {format_gibibytes(needed)} needed"
    return ok(name, message) if free >= needed else failed(name, message, remedy)

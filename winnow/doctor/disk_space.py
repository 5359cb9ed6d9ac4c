"""Whether there is room for a run: on disks that it writes to, and in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from winnow.doctor.findings import Finding, failed, ok, warning
from winnow.doctor.framework_check import gibibytes

MIN_DISK_BYTES = 2**30  # bytes of disk, for what a run writes beside its models
CHECKPOINT_FACTOR = (
    2  # a checkpoint's size: its copy, and its weights while they are examined; in memory, while it is loaded
)
PROCESS_BYTES = 2**30  # bytes of memory: a run of the demo's small model took 0.9 GiB, with its server


def check_private_cache(folder: Path, lacking: int, free: int) -> Iterator[Finding]:
    """Whether so many bytes of models can be copied to the folder, and nobody else can change the copies."""
    from winnow.engines.checkpoint_cache import private_folder
    from winnow.errors import CheckpointError

    name, elsewhere = "private copies", "set WINNOW_CACHE to a folder of yours"
    try:
        check_writable(private_folder(folder))
    except CheckpointError as error:
        found, _, remedy = str(error).partition("; ")
        yield failed(name, found, remedy)
    except OSError as error:
        yield failed(name, f"{folder}: cannot be written to ({error.strerror})", f"make it writable, or {elsewhere}")
    else:
        yield check_space(
            name,
            folder,
            CHECKPOINT_FACTOR * lacking + MIN_DISK_BYTES,
            free,
            f"make room, or {elsewhere} on another disk",
        )


def check_hub_cache(folder: Path, lacking: int, free: int) -> Iterator[Finding]:
    """Whether so many bytes of models can be fetched."""
    name, elsewhere = "hub's cache", "set HF_HOME to another folder"
    if not lacking:
        yield ok(name, f"{folder}: nothing is to be fetched")
        return
    try:
        check_writable(folder)
    except OSError as error:
        yield failed(name, f"{folder}: cannot be written to ({error.strerror})", f"make it writable, or {elsewhere}")
    else:
        yield check_space(name, folder, lacking + MIN_DISK_BYTES, free, f"make room, or {elsewhere}")


def check_output(folder: Path, free: int) -> Iterator[Finding]:
    """Whether a run can be in the folder: it is new or empty, or holds a run."""
    name = "output"
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there and not there & {"run.json", "_lock"}:
        yield failed(name, f"{folder}: not a run's folder, and not empty", "choose another output")
        return
    try:
        check_writable(folder)
    except OSError as error:
        yield failed(name, f"{folder}: cannot be written to ({error.strerror})", "make it writable, or choose another")
    else:
        yield check_space(name, folder, MIN_DISK_BYTES, free, "make room, or choose an output on another disk")


def check_memory(models: int, free: int) -> Iterator[Finding]:
    """Whether models of so many bytes can be loaded into the machine's memory."""
    needed = PROCESS_BYTES + CHECKPOINT_FACTOR * models
    found = f"{gibibytes(free)} free, about {gibibytes(needed)} needed"
    if free < PROCESS_BYTES:
        yield failed("memory", found, "end what else runs here, or take a machine with more")
    elif free < needed:
        yield warning("memory", found, "end what else runs here, or choose smaller models")
    else:
        yield ok("memory", found)


def check_space(name: str, folder: Path, needed: int, free: int, remedy: str) -> Finding:
    found = f"{folder}: {gibibytes(free)} free, {gibibytes(needed)} needed"
    return ok(name, found) if free >= needed else failed(name, found, remedy)


def check_writable(folder: Path) -> None:
    """Raise OSError unless a file can be made where the folder is, or will be; nothing stays."""
    with tempfile.TemporaryFile(dir=nearest_existing(folder)):
        pass


def nearest_existing(folder: Path) -> Path:
    """The folder, or what there is of the path to it."""
    return next(path for path in (folder, *folder.parents) if path.exists())

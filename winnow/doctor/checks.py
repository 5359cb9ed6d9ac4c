"""All checks of the doctor, in order.

Each check gets what it looks at as arguments, and none relies on another: an import that fails is a finding.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from winnow.doctor import disk_space, formats, framework_check, packages
from winnow.doctor.findings import Finding, failed, ok, run_check, warning
from winnow.doctor.installation import required_packages
from winnow.parameters.maintenance import Doctor
from winnow.parameters.redaction import error_line
from winnow.runs.storage import nearest_existing

ServerCheck = Callable[[], Iterable[Finding]]
SmokeRun = Callable[[list[str], bool], Iterable[Finding]]

UNSAFE_VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def run_checks(settings: Doctor, demo: str | None, check_server: ServerCheck, smoke_run: SmokeRun) -> Iterator[Finding]:
    """Yield findings as soon as they are known.

    `demo` is the model to check by default. `check_server` checks the Prefect server. `smoke_run` runs a curation with
    the models, unless something else failed.
    """
    states = set()
    for finding in check_machine(check_server):
        states.add(finding.state)
        yield finding
    names: list[str] = []
    trust_unpinned = settings.trust_unpinned
    try:
        names, trust_unpinned = models_to_check(settings, demo)
    except Exception as error:
        states.add("failed")
        yield failed("output", error_line(error), "give the models with --small and --large")
    on_output = run_check("output", check_output, settings.output) if settings.output else []
    for finding in (*run_check("models", check_models, names, trust_unpinned), *on_output):
        states.add(finding.state)
        yield finding
    yield from check_by_run("failed" not in states, names, trust_unpinned, smoke_run)


def check_machine(check_server: ServerCheck) -> Iterator[Finding]:
    """Check what does not depend on the models."""
    yield from run_check(
        "packages", lambda: packages.check_packages(required_packages(), packages.installed_versions())
    )
    yield from run_check("environment", check_environment, os.environ)
    facts = framework_check.probe_frameworks()
    yield from run_check("NeMo, torch", framework_check.check_frameworks, facts)
    yield from run_check("devices", check_devices, facts)
    yield from run_check("server", check_server)
    yield from run_check("audio", formats.check_formats)


def models_to_check(settings: Doctor, demo: str | None) -> tuple[list[str], bool]:
    """Return the given models, else those of the run in the output folder, else the demo's; and if they are trusted."""
    from winnow.runs.run_record import load_settings
    from winnow.runs.storage import location

    run = location(settings.output) if settings.output and not settings.small else None
    if run is not None and (run / "run.json").exists():
        run_settings = load_settings(run)
        return run_settings.checkpoints, settings.trust_unpinned or run_settings.trust_unpinned
    return [name for name in (settings.small or demo, settings.large) if name], settings.trust_unpinned


def check_by_run(healthy: bool, names: list[str], trust_unpinned: bool, smoke_run: SmokeRun) -> Iterator[Finding]:
    """Run a curation with the models, unless something failed or there is no model."""
    if not healthy:
        yield warning("smoke run", "not tried", "repair what failed, and run the doctor again")
    elif names:
        yield from run_check("smoke run", smoke_run, names, trust_unpinned)
    else:
        remedy = "give a model, e.g. winnow doctor --small nvidia/parakeet-tdt_ctc-110m --trust-unpinned"
        yield warning("smoke run", "not tried: no model was given, and the demo's is only in a checkout", remedy)


def check_environment(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check that no environment variable makes loading checkpoints unsafe."""
    if value := variables.get(UNSAFE_VARIABLE):
        message = f"{UNSAFE_VARIABLE}={value} lets checkpoints run code when they are loaded"
        yield failed("environment", message, f"unset {UNSAFE_VARIABLE}")
    else:
        yield ok("environment", "no variable makes loading checkpoints unsafe")


def check_devices(facts: framework_check.Facts) -> Iterator[Finding]:
    """Check the GPUs, or the CPU and its memory."""
    import psutil

    from winnow.hardware import cores

    memory = psutil.virtual_memory()
    yield from framework_check.check_devices(facts, cores(), memory.available, memory.total)


def check_models(names: list[str], trust_unpinned: bool) -> Iterator[Finding]:
    """Check each model, the memory and disk space that they need, and the hub."""
    import psutil
    from huggingface_hub import constants

    from winnow.doctor.checkpoint_check import check_checkpoint, check_hub
    from winnow.engines.checkpoint_cache import cache_folder

    checkpoints = [check_checkpoint(name, trust_unpinned) for name in names]
    yield from (checkpoint.finding for checkpoint in checkpoints)
    missing_bytes = sum(checkpoint.size for checkpoint in checkpoints if checkpoint.missing)
    model_bytes = sum(checkpoint.size for checkpoint in checkpoints)
    yield from disk_space.check_memory(model_bytes, psutil.virtual_memory().available)
    yield from disk_space.check_checkpoint_cache(cache_folder(), missing_bytes, free_bytes(cache_folder()))
    hub_cache = Path(constants.HF_HUB_CACHE)
    yield from disk_space.check_hub_cache(hub_cache, missing_bytes, free_bytes(hub_cache))
    from_hub = any(checkpoint.from_hub for checkpoint in checkpoints)
    yield from check_hub(constants.ENDPOINT, constants.HF_HUB_OFFLINE, from_hub)


def check_output(output: str) -> Iterator[Finding]:
    """Check that a run can write to the output folder, or that its object store answers."""
    from winnow.errors import StoreError
    from winnow.runs.storage import is_local, location
    from winnow.runs.store_errors import explain_store_errors

    folder = location(output)
    if is_local(folder):
        yield from disk_space.check_output(folder, free_bytes(folder))
        return
    try:
        with explain_store_errors(folder):
            folder.exists()
    except StoreError as error:
        yield failed("output", str(error), "repair what it names, and run the doctor again")
    else:
        yield ok("output", f"{folder} answers")


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk where the folder is, or would be created."""
    return shutil.disk_usage(nearest_existing(folder)).free

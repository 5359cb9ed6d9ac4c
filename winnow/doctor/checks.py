"""The doctor: what of this machine, and of the models that a run is to read with, would stop it, and what mends that.

Every check is given what it looks at, and none relies on another: an import that fails is a finding, and not the end.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from winnow.doctor import disk_space, formats, framework_check, packages
from winnow.doctor.findings import Finding, error_line, failed, ok, run_check, warning
from winnow.parameters.maintenance import Doctor

Check = Callable[..., Iterable[Finding]]

UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def run_checks(settings: Doctor, demo: str | None, server: Check, smoke: Check) -> Iterator[Finding]:
    """The findings one by one.

    `demo` is the model where none is given; `server` is asked after the Prefect server, and `smoke` reads an utterance
    with the models, if nothing is wrong.
    """
    states = set()
    names: list[str] = []
    trust = settings.trust_unpinned
    for finding in machine(server):
        states.add(finding.state)
        yield finding
    try:
        names, trust = checkpoints_to_check(settings, demo)
    except Exception as error:
        states.add("failed")
        yield failed("output", error_line(error), "give the models with --small and --large")
    places = run_check("output", output, settings.output) if settings.output else []
    for finding in (*run_check("models", models, names, trust), *places):
        states.add(finding.state)
        yield finding
    if "failed" in states:
        yield warning("smoke run", "not tried", "mend what failed, and ask again")
    elif names:
        yield from run_check("smoke run", smoke, names, trust)


def machine(server: Check) -> Iterator[Finding]:
    """What does not depend on the models."""
    yield from run_check(
        "packages", lambda: packages.check_packages(packages.required_packages(), packages.installed_versions())
    )
    yield from run_check("environment", environment, os.environ)
    facts = framework_check.probe_frameworks()
    yield from run_check("NeMo, torch", framework_check.check_frameworks, facts)
    yield from run_check("devices", devices, facts)
    yield from run_check("server", server)
    yield from run_check("audio", formats.check_formats)


def checkpoints_to_check(settings: Doctor, demo: str | None) -> tuple[list[str], bool]:
    """The models that were asked for, those of the run in the output, or the demo's; and whether they are trusted."""
    from winnow.runs.run_dir import load_settings
    from winnow.runs.storage import location

    run = location(settings.output) if settings.output and not settings.small else None
    if run is not None and (run / "run.json").exists():
        then = load_settings(run)
        return then.checkpoints, settings.trust_unpinned or then.trust_unpinned
    return [name for name in (settings.small or demo, settings.large) if name], settings.trust_unpinned


def environment(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a variable makes checkpoints unsafe."""
    if value := variables.get(UNSAFE):
        yield failed("environment", f"{UNSAFE}={value} lets weights run code when they are loaded", f"unset {UNSAFE}")
    else:
        yield ok("environment", "no variable makes checkpoints unsafe")


def devices(facts: framework_check.Facts) -> Iterator[Finding]:
    import psutil

    from winnow.hardware import cores

    memory = psutil.virtual_memory()
    yield from framework_check.check_devices(facts, cores(), memory.available, memory.total)


def models(names: list[str], trust: bool) -> Iterator[Finding]:
    """Each of the models, and whether there is room for them and a hub to fetch from."""
    import psutil
    from huggingface_hub import constants

    from winnow.doctor.checkpoint_check import check_checkpoint, check_hub
    from winnow.engines.checkpoint_cache import cache_folder

    found = [check_checkpoint(name, trust) for name in names]
    yield from (one.finding for one in found)
    lacking = sum(one.size for one in found if one.lacking)
    yield from disk_space.check_memory(sum(one.size for one in found), psutil.virtual_memory().available)
    yield from disk_space.check_private_cache(cache_folder(), lacking, free_bytes(cache_folder()))
    cache = Path(constants.HF_HUB_CACHE)
    yield from disk_space.check_hub_cache(cache, lacking, free_bytes(cache))
    yield from check_hub(constants.ENDPOINT, constants.HF_HUB_OFFLINE, any(one.of_hub for one in found))


def output(place: str) -> Iterator[Finding]:
    from winnow.runs.storage import is_local, location

    folder = location(place)
    if is_local(folder):
        yield from disk_space.check_output(folder, free_bytes(folder))
        return
    folder.exists()
    yield ok("output", f"{folder} answers")


def free_bytes(folder: Path) -> int:
    """The bytes that the disk has left where the folder is, or will be."""
    return shutil.disk_usage(disk_space.nearest_existing(folder)).free

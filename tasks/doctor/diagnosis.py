"""The doctor: what of this machine, and of the models that a run is to read with, would stop it, and what mends that.

Every check is given what it looks at, and none relies on another: an import that fails is a finding, and not the end.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tasks.doctor import formats, packages, probe, rooms
from tasks.doctor.findings import Finding, asked, failed, ok, one_line, warning
from tasks.parameters.upkeep import Doctor

Check = Callable[..., Iterable[Finding]]

UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def diagnose(settings: Doctor, demo: str | None, server: Check, smoke: Check) -> Iterator[Finding]:
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
        names, trust = chosen(settings, demo)
    except Exception as error:
        states.add("failed")
        yield failed("output", one_line(error), "give the models with --small and --large")
    places = asked("output", output, settings.output) if settings.output else []
    for finding in (*asked("models", models, names, trust), *places):
        states.add(finding.state)
        yield finding
    if "failed" in states:
        yield warning("smoke run", "not tried", "mend what failed, and ask again")
    elif names:
        yield from asked("smoke run", smoke, names, trust)


def machine(server: Check) -> Iterator[Finding]:
    """What does not depend on the models."""
    yield from asked("packages", lambda: packages.check(packages.wanted(), packages.installed()))
    yield from asked("environment", environment, os.environ)
    facts = probe.probed()
    yield from asked("NeMo, torch", probe.frameworks, facts)
    yield from asked("devices", devices, facts)
    yield from asked("server", server)
    yield from asked("audio", formats.check)


def chosen(settings: Doctor, demo: str | None) -> tuple[list[str], bool]:
    """The models that were asked for, those of the run in the output, or the demo's; and whether they are trusted."""
    from tasks.runs.output import asked_of
    from tasks.runs.storage import location

    run = location(settings.output) if settings.output and not settings.small else None
    if run is not None and (run / "run.json").exists():
        then = asked_of(run)
        return then.checkpoints, settings.trust_unpinned or then.trust_unpinned
    return [name for name in (settings.small or demo, settings.large) if name], settings.trust_unpinned


def environment(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a variable makes checkpoints unsafe."""
    if value := variables.get(UNSAFE):
        yield failed("environment", f"{UNSAFE}={value} lets weights run code when they are loaded", f"unset {UNSAFE}")
    else:
        yield ok("environment", "no variable makes checkpoints unsafe")


def devices(facts: probe.Facts) -> Iterator[Finding]:
    import psutil

    from tasks.engine.recogniser import cores

    memory = psutil.virtual_memory()
    yield from probe.devices(facts, cores(), memory.available, memory.total)


def models(names: list[str], trust: bool) -> Iterator[Finding]:
    """Each of the models, and whether there is room for them and a hub to fetch from."""
    import psutil
    from huggingface_hub import constants

    from tasks.checkpoints.copies import place
    from tasks.doctor.fitness import fitness, hub

    found = [fitness(name, trust) for name in names]
    yield from (one.finding for one in found)
    lacking = sum(one.size for one in found if one.lacking)
    yield from rooms.memory(sum(one.size for one in found), psutil.virtual_memory().available)
    yield from rooms.private_cache(place(), lacking, free(place()))
    cache = Path(constants.HF_HUB_CACHE)
    yield from rooms.hub_cache(cache, lacking, free(cache))
    yield from hub(constants.ENDPOINT, constants.HF_HUB_OFFLINE, any(one.of_hub for one in found))


def output(place: str) -> Iterator[Finding]:
    from tasks.runs.storage import is_local, location

    folder = location(place)
    if is_local(folder):
        yield from rooms.output(folder, free(folder))
        return
    folder.exists()
    yield ok("output", f"{folder} answers")


def free(folder: Path) -> int:
    """The bytes that the disk has left where the folder is, or will be."""
    return shutil.disk_usage(rooms.existing(folder)).free

"""Whether the packages that are installed are those that Winnow works with."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

from winnow.doctor.findings import Finding, failed, ok

PROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"

WHY = {
    "fastapi": "with this one no Prefect server starts",
    "sqlalchemy": "with this one Prefect never creates scheduled runs, and says nothing",
    "torch": "this one opens checkpoints unsafely",
    "nemo-toolkit": "this one opens checkpoints unsafely",
}
"""What comes of a version that pyproject.toml does not allow, as far as it was seen."""

NAMED = ("prefect", "nemo-toolkit", "torch", "fastapi", "sqlalchemy")


def installed_versions() -> dict[str, str]:
    """The version of each package, by its name in small letters."""
    return {canonical_name(one.name): one.version for one in distributions() if one.name}


def required_packages(project: Path = PROJECT) -> list[str]:
    """What pyproject.toml asks for."""
    found: list[str] = tomllib.loads(project.read_text())["project"]["dependencies"]
    return found


def check_packages(wanted: list[str], installed: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each package that is missing or of a wrong version, else one for all."""
    from packaging.requirements import Requirement

    wrong = False
    for one in map(Requirement, wanted):
        name = canonical_name(one.name)
        version = installed.get(name)
        if version is not None and one.specifier.contains(version, prereleases=True):
            continue
        wrong = True
        there = f"{one.name} {version} is installed" if version else f"{one.name} is not installed"
        why = f": {WHY[name]}" if version and name in WHY else ""
        yield failed("packages", there + why, f'pip install --constraint constraints.txt "{one}"')
    if not wrong:
        said = ", ".join(f"{name} {installed[name]}" for name in NAMED if name in installed)
        yield ok("packages", f"the {len(wanted)} that pyproject.toml asks for: {said}")


def canonical_name(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")

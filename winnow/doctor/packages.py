"""Whether the installed packages are the ones that Winnow works with."""

from collections.abc import Iterator, Mapping
from importlib.metadata import distributions

from winnow.doctor.findings import Finding, failed, ok
from winnow.doctor.installation import PIP

CONSEQUENCES = {
    "fastapi": "with this version the Prefect server does not start",
    "sqlalchemy": "with this version Prefect never creates scheduled runs, and reports no error",
    "torch": "this version opens checkpoints unsafely",
    "nemo-toolkit": "this version opens checkpoints unsafely",
}
"""What happens with a version that is not allowed, if known."""

REPORTED = ("prefect", "nemo-toolkit", "torch", "fastapi", "sqlalchemy")


def installed_versions() -> dict[str, str]:
    """Return the version of each installed package by its canonical name."""
    return {canonical_name(package.name): package.version for package in distributions() if package.name}


def check_packages(required: list[str], installed: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a failure for each package that is missing or has a wrong version, or one success for all."""
    from packaging.requirements import Requirement

    all_match = True
    for requirement in map(Requirement, required):
        name = canonical_name(requirement.name)
        version = installed.get(name)
        if version is not None and requirement.specifier.contains(version, prereleases=True):
            continue
        all_match = False
        state = f"{requirement.name} {version} is installed" if version else f"{requirement.name} is not installed"
        consequence = f": {CONSEQUENCES[name]}" if version and name in CONSEQUENCES else ""
        yield failed("packages", f"{state}{consequence}", f'{PIP} "{requirement}"')
    if all_match:
        versions = ", ".join(f"{name} {installed[name]}" for name in REPORTED if name in installed)
        yield ok("packages", f"all {len(required)} required packages are installed: {versions}")


def canonical_name(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")

"""How Winnow is installed on this machine, from a checkout or from a wheel, and what that installation requires."""

import tomllib
from importlib.metadata import requires
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "pyproject.toml"
DEMO = ROOT / "demo"

CHECKOUT = PROJECT.exists()
PIP = "pip install --constraint constraints.txt" if CHECKOUT else "pip install"
REINSTALL = f"{PIP} --editable . in a new virtual environment" if CHECKOUT else "reinstall winnow in a new environment"


def required_packages(project: Path = PROJECT) -> list[str]:
    """Return the requirements in pyproject.toml, or those of the installed wheel if there is no such file."""
    from packaging.requirements import Requirement

    if project.exists():
        dependencies: list[str] = tomllib.loads(project.read_text())["project"]["dependencies"]
        return dependencies
    requirements = map(Requirement, requires("winnow") or ())
    return [str(needed) for needed in requirements if not needed.marker or needed.marker.evaluate({"extra": ""})]


def demo_checkpoint() -> str | None:
    """Return the demo's small checkpoint, pinned; None outside a checkout."""
    sums = DEMO / "SHA256SUMS"
    if not sums.exists():
        return None
    digests = {name: digest for digest, name in map(str.split, sums.read_text().splitlines())}
    return f"{DEMO / 'small.nemo'}@sha256:{digests['small.nemo']}"

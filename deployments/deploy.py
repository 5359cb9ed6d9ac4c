"""Everything that a Prefect server needs to run Winnow: work pools, deployments and automations."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from deployments.automations import create_automations
from deployments.forms import set_form
from deployments.pools import create_pools
from flows.server.monitor import require_configured_server
from winnow.errors import DeploymentFailed

CHECKOUT = Path(__file__).parent.parent
IN_CHECKOUT = (CHECKOUT / "prefect.yaml").exists()
PREFECT_YAML = CHECKOUT / "prefect.yaml" if IN_CHECKOUT else Path(__file__).with_name("prefect.yaml")
"""The checkout's, or the copy that an installed wheel carries."""


def deploy(notify: str | None = None, tell: Callable[[str], object] = print) -> None:
    """Make it all on the server that is configured, or bring it up to date; and say so, and what to do next."""
    api = require_configured_server()
    tell(f"work pools: {', '.join(create_pools())}")
    folder = CHECKOUT if IN_CHECKOUT else Path.cwd()
    rows = deployments(folder)
    register(rows, folder)
    flows: list[Flow[..., Any]] = [load_flow_from_entrypoint(row["entrypoint"]) for row in rows]
    names = [f"{flow.name}/{row['name']}" for flow, row in zip(flows, rows, strict=True)]
    for flow, name in zip(flows, names, strict=True):
        set_form(flow, name)
    tell(f"deployments: {', '.join(names)}")
    automations = create_automations(notify, sorted({flow.name for flow in flows}))
    tell(f"automations: {', '.join(automations)}")
    if not notify:
        tell("nobody is told of runs that fail: winnow deploy --notify ADDRESS")
    tell(f"next: prefect worker start --pool cpu, then {api.removesuffix('/api')}/deployments")


def deployments(folder: Path) -> list[dict[str, Any]]:
    """Return the deployments of prefect.yaml, without those whose manifest does not exist below `folder`.

    An installed wheel does not carry the demo, hence not the deployment that curates it every night.
    """
    rows: list[dict[str, Any]] = yaml.safe_load(PREFECT_YAML.read_text())["deployments"]
    return [row for row in rows if (folder / row.get("parameters", {}).get("manifest", "")).exists()]


def register(rows: list[dict[str, Any]], folder: Path) -> None:
    """Create or update deployments on the server; their runs start in `folder`."""
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"name": "winnow", "deployments": rows}, file)
        file.flush()
        command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file.name]
        variables = os.environ | {"PWD": str(folder), "PREFECT_LOGGING_LEVEL": "ERROR"}
        result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if result.returncode:
        raise DeploymentFailed(f"prefect deploy --all: {(result.stderr or result.stdout).strip()}")

"""Create or update everything that a Prefect server needs for Winnow: work pools, deployments and automations."""

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
from winnow.parameters.redaction import redact_text

CHECKOUT = Path(__file__).parent.parent
IN_CHECKOUT = (CHECKOUT / "prefect.yaml").exists()
PREFECT_YAML = CHECKOUT / "prefect.yaml" if IN_CHECKOUT else Path(__file__).with_name("prefect.yaml")
"""The checkout's, or the copy that an installed wheel carries."""


def deploy(notify: str | None = None, report: Callable[[str], object] = print) -> None:
    """Create or update everything on the configured server; report each part and the next step.

    `notify` is the URL that gets a POST for each run that fails or crashes.
    """
    api = require_configured_server()
    report(f"work pools: {', '.join(create_pools())}")
    folder = CHECKOUT if IN_CHECKOUT else Path.cwd()
    rows = deployments(folder)
    register(rows, folder)
    flows: list[Flow[..., Any]] = [load_flow_from_entrypoint(row["entrypoint"]) for row in rows]
    names = [f"{flow.name}/{row['name']}" for flow, row in zip(flows, rows, strict=True)]
    for flow, name in zip(flows, names, strict=True):
        set_form(flow, name)
    report(f"deployments: {', '.join(names)}")
    automations = create_automations(notify, sorted({flow.name for flow in flows}))
    report(f"automations: {', '.join(automations)}")
    if not notify:
        report("failed runs are not reported: use winnow deploy --notify URL")
    report(f"next: prefect worker start --pool cpu, then {redact_text(api).removesuffix('/api')}/deployments")


def deployments(folder: Path) -> list[dict[str, Any]]:
    """Return the deployments of prefect.yaml, without those whose manifest does not exist below `folder`.

    An installed wheel does not contain the demo, so the deployment that curates it every night is left out.
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
        raise DeploymentFailed(f"prefect deploy --all: {redact_text((result.stderr or result.stdout).strip())}")

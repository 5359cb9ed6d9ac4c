"""Create or update everything that a Prefect server needs for Winnow: work pools, deployments and automations."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from deployments.automations import create_automations
from deployments.forms import set_form
from deployments.pools import create_pools
from flows.server.monitor import require_configured_server
from winnow.errors import DeploymentFailed, OptionError
from winnow.parameters.redaction import error_line, redact_text

INSTALLED = Path(__file__).parent


def deploy(notify: str | None = None, report: Callable[[str], object] = print) -> None:
    """Create or update everything on the configured server; report each part and the next step.

    `notify` is the URL that gets a POST for each run that fails or crashes.
    """
    check_webhook(notify)
    folder = Path.cwd()
    file = prefect_yaml(folder)
    rows = deployments(file, folder)
    api = require_configured_server()
    report(f"work pools: {', '.join(create_pools())}")
    register(rows, folder)
    flows: list[Flow[..., Any]] = [load_flow_from_entrypoint(row["entrypoint"]) for row in rows]
    names = [f"{flow.name}/{row['name']}" for flow, row in zip(flows, rows, strict=True)]
    for flow, name in zip(flows, names, strict=True):
        if hasattr(flow.fn, "takes"):  # not a flow that the project has added
            set_form(flow, name)
    report(f"deployments: {', '.join(names)}")
    report(f"from {file}; their runs start in {folder}")
    automations = create_automations(notify, sorted({flow.name for flow in flows}))
    report(f"automations: {', '.join(automations)}")
    if not notify:
        report("failed runs are not reported: use winnow deploy --notify URL")
    report(f"next: prefect worker start --pool cpu, then {redact_text(api).removesuffix('/api')}/deployments")


def prefect_yaml(folder: Path) -> Path:
    """Return the file with the deployments: the folder's own, if it is of Winnow's flows, or the installed one.

    The folder may be a checkout, or a project with an edited copy; other projects have a prefect.yaml of other flows.
    Raises DeploymentFailed if the folder's file cannot be read.
    """
    own = folder / "prefect.yaml"
    try:
        content = yaml.safe_load(own.read_text()) if own.exists() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DeploymentFailed(f"{own}: cannot be read: {error_line(error)}") from error
    if isinstance(content, dict) and content.get("name") == "winnow" and content.get("deployments"):
        return own
    copies = INSTALLED.parent / "prefect.yaml", INSTALLED / "prefect.yaml"  # of a checkout, of a wheel
    return next(path for path in copies if path.exists())


def deployments(file: Path, folder: Path) -> list[dict[str, Any]]:
    """Return the deployments of a prefect.yaml; raise DeploymentFailed if one has no name or no entrypoint.

    One whose manifest does not exist below `folder`, as that of the demo in another project, has no parameters and no
    schedule: its form asks for them.
    """
    rows = yaml.safe_load(file.read_text())["deployments"]
    for row in rows if isinstance(rows, list) else [None]:
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("name", "entrypoint")):
            raise DeploymentFailed(f"{file}: deployments: expected a list, in which each has a name and an entrypoint")
    return [row if (folder / manifest_of(row)).exists() else without_schedule(row) for row in rows]


def manifest_of(row: dict[str, Any]) -> str:
    return str((row.get("parameters") or {}).get("manifest") or "")


def without_schedule(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("parameters", "schedules")}


def check_webhook(url: str | None) -> None:
    """Raise OptionError unless the URL of a webhook is one."""
    parts = urlsplit(url or "https://host")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OptionError("--notify: expected a URL that starts with https:// or http://")


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

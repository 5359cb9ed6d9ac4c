"""Everything that a Prefect server needs to run Winnow: work pools, deployments and automations."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from deployments.automations import create_automations
from deployments.forms import set_form
from deployments.pools import create_pools
from flows.server.monitor import require_configured_server
from winnow.errors import DeploymentFailed

ROOT = Path(__file__).parent.parent


def deploy(notify: str | None = None, tell: Callable[[str], object] = print) -> None:
    """Make it all on the server that is configured, or bring it up to date; and say so, and what to do next."""
    api = require_configured_server()
    tell(f"work pools: {', '.join(create_pools())}")
    words = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all"]
    place = {"PWD": str(ROOT), "PREFECT_LOGGING_LEVEL": "ERROR"}
    done = subprocess.run(words, cwd=ROOT, env=os.environ | place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DeploymentFailed(f"prefect deploy --all: {(done.stderr or done.stdout).strip()}")
    flows: list[Flow[..., Any]] = [load_flow_from_entrypoint(one["entrypoint"]) for one in deployments()]
    names = [f"{flow.name}/{one['name']}" for flow, one in zip(flows, deployments(), strict=True)]
    for flow, name in zip(flows, names, strict=True):
        set_form(flow, name)
    tell(f"deployments: {', '.join(names)}")
    automations = create_automations(notify, sorted({flow.name for flow in flows}))
    tell(f"automations: {', '.join(automations)}")
    if not notify:
        tell("nobody is told of runs that fail: winnow deploy --notify ADDRESS")
    tell(f"next: prefect worker start --pool cpu, then {api.removesuffix('/api')}/deployments")


def deployments() -> list[dict[str, Any]]:
    """Those of prefect.yaml."""
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return found

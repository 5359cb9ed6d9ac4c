"""Everything that a Prefect server needs to run Winnow: work pools, deployments and automations."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from prefect.flows import load_flow_from_entrypoint

from cli.run import console, server
from deployments.automations import create_automations
from deployments.forms import set_form
from deployments.pools import create_pools

ROOT = Path(__file__).parent.parent


class NotDeployed(Exception):
    """Prefect refused the deployments."""

    exit_code = 1


def deploy(notify: str | None = None) -> None:
    """Make it all on the server that is configured, or bring it up to date; and say so, and what to do next."""
    api = server()
    console.print(f"work pools: {', '.join(create_pools())}")
    words = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    place = {"PWD": str(ROOT), "PREFECT_LOGGING_LEVEL": "ERROR"}
    done = subprocess.run(words, cwd=ROOT, env=os.environ | place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotDeployed(f"prefect deploy --all: {(done.stderr or done.stdout).strip()}")
    flows = [load_flow_from_entrypoint(one["entrypoint"]) for one in deployments()]
    names = [f"{flow.name}/{one['name']}" for flow, one in zip(flows, deployments(), strict=True)]
    for flow, name in zip(flows, names, strict=True):
        set_form(flow, name)
    console.print(f"deployments: {', '.join(names)}", soft_wrap=True)
    automations = create_automations(notify, sorted({flow.name for flow in flows}))
    console.print(f"automations: {', '.join(automations)}")
    if not notify:
        console.print("nobody is told of runs that fail: winnow deploy --notify ADDRESS")
    console.print(f"next: prefect worker start --pool cpu, then {api.removesuffix('/api')}/deployments", soft_wrap=True)


def deployments() -> list[dict[str, Any]]:
    """Those of prefect.yaml."""
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return found

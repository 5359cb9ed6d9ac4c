"""The simplest way to start runs from Prefect's UI on one machine: this process, without a work pool or worker."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from prefect import Flow
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from deployments.forms import set_form
from flows.benchmark import benchmark
from flows.curate import curate
from flows.doctor import doctor
from flows.download_models import download_models
from flows.ensemble import ensemble
from flows.export import export
from flows.incremental import incremental
from flows.refilter import refilter
from flows.relabel import relabel
from flows.segment import segment
from flows.server.monitor import require_configured_server
from winnow.parameters.redaction import redact_text

FLOWS: tuple[Flow[..., Any], ...] = (
    *(curate, ensemble, incremental),
    *(refilter, relabel, export, segment),
    *(download_models, doctor, benchmark),
)
DEPLOYMENT_NAME = "here"
RUNS_AT_ONCE = 1  # a run fills its machine


def serve_flows(report: Callable[[str], object] = print) -> None:
    """Serve all flows, as `curate/here` and so on, until the process is stopped."""
    api = require_configured_server()
    runner = Runner(limit=RUNS_AT_ONCE)
    for flow in FLOWS:
        deployment = flow.to_deployment(DEPLOYMENT_NAME, entrypoint_type=EntrypointType.MODULE_PATH)
        runner.add_deployment(cast(RunnerDeployment, deployment))
        set_form(flow, f"{flow.name}/{DEPLOYMENT_NAME}")
        report(f"serving {flow.name}/{DEPLOYMENT_NAME}")
    report(f"start runs at {redact_text(api).removesuffix('/api')}/deployments; stop with Ctrl-C")
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())

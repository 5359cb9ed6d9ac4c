"""The simplest way to run from the UI, on one machine: no work pool, no worker, just this process."""

from prefect import serve
from prefect.flows import EntrypointType

from flows.curate import curate
from flows.nightly import nightly
from flows.terminal import console, server

RUNS_AT_ONCE = 1  # a run fills its machine


def serve_flows() -> None:
    """Serve the flows as `curate/here` and `nightly/here`, until the process is stopped."""
    api = server()
    served = [one.to_deployment("here", entrypoint_type=EntrypointType.MODULE_PATH) for one in (curate, nightly)]
    console.print(f"serving curate/here and nightly/here: {api.removesuffix('/api')}/deployments (Ctrl-C stops)")
    serve(*served, limit=RUNS_AT_ONCE, print_starting_message=False)

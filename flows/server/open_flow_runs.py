"""The flow runs of this process, and the states that a server gets of those that cannot end as usual.

A signal cancels them; a run whose process died is found by the next one that works on its output.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flows.server.interruption import interruption
from flows.server.monitor import client, configured_api, current_api
from winnow.parameters.redaction import error_line

EVENTS_TIMEOUT = 4.0  # seconds for sending what tasks have reported before a signal ends the run
CANCEL_TIMEOUT = 12.0  # seconds for setting the states of a run that a signal ends

open_flow_runs: list[str] = []
"""The ids of this process's flow runs that have not ended."""

log = logging.getLogger("winnow")


@contextmanager
def register_flow_run() -> Iterator[None]:
    """Note the flow run that is entered, so that a signal can end it on the server too."""
    from prefect.runtime import flow_run

    if (identifier := flow_run.id) is None:  # the flow runs as a plain function
        yield
        return
    open_flow_runs.append(str(identifier))
    interruption.entered()
    try:
        yield
    except Exception:
        open_flow_runs.remove(str(identifier))
        raise
    open_flow_runs.remove(str(identifier))  # but not if a signal ends it: Prefect raises a BaseException for SIGTERM


def mark_cancelled(message: str) -> None:
    """Set this process's flow runs on the configured server to Cancelled, within CANCEL_TIMEOUT."""
    api = configured_api()
    if api and open_flow_runs:
        _within(CANCEL_TIMEOUT, _cancel, api, list(open_flow_runs), message)


def stop_reporting_tasks() -> None:
    """Send the server what tasks have reported so far, within EVENTS_TIMEOUT, and nothing from now on."""
    if open_flow_runs:
        from flows.server.flow_runs import stop_task_events

        _within(EVENTS_TIMEOUT, stop_task_events, EVENTS_TIMEOUT)


def _within(seconds: float, function: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a thread and wait at most so long: a signal may have come while this thread holds a lock."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    thread.join(seconds)


def _cancel(api: str, flow_runs: list[str], message: str) -> None:
    from flows.server.flow_runs import SETTLE_SECONDS, end_flow_run

    try:
        with client(api) as server:
            for flow_run in flow_runs:
                end_flow_run(server, flow_run, "Cancelled", message, SETTLE_SECONDS)
    except Exception as error:
        log.warning("the state of the flow run could not be set: %s", error_line(error))


def mark_crashed(owner: dict[str, Any]) -> None:
    """Set the state of a flow run whose process died to Crashed, if a server still shows it as running.

    That is this process's server, or the one that the run had. A temporary server is gone with its run, but the next
    one has its database.
    """
    from flows.server.flow_runs import end_flow_run

    flow_run = owner.get("flow_run")
    if not flow_run or flow_run in open_flow_runs:  # Prefect may have started the same flow run again
        return
    for api in dict.fromkeys(filter(None, [current_api(), owner.get("api")])):
        with suppress(Exception), client(api) as server:  # not worth failing for
            end_flow_run(server, flow_run, "Crashed", "its process died; another run continues with its output")
            return

"""The Prefect server as a run sees it: required at the start, watched until the end, and told about crashed runs.

A run completes its data without its server. If the server is lost, the process replaces itself by `winnow resume`
with a temporary server: committed work is kept, the rest is done, and exit code 4 says that the server has no report.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from flows.server.environment import set_prefect_defaults
from flows.server.interruption import interruption
from winnow.errors import ServerLost, ServerUnavailable
from winnow.parameters.redaction import error_line, redact_text

START_TIMEOUT = 20.0  # seconds for a server to answer at the start
EVENTS_TIMEOUT = 4.0  # seconds for sending what tasks have reported before a signal ends the run
CANCEL_TIMEOUT = 12.0  # seconds for setting the states of a run that a signal ends
POLL_SECONDS = 3.0
REFUSED_TIMEOUT = 15.0  # seconds after which a server that refuses connections is lost
SILENT_TIMEOUT = 90.0  # seconds after which a server that gives no good answer is lost: a busy one is slow
LOST_SERVER = "WINNOW_SERVER_LOST"  # environment variable of a resumed run: the server that was lost

current: dict[str, Any] = {}
"""In a process that has no other work: its `pid`, its flow run (see `current_flow_run`) and the folder of its `run`."""

open_flow_runs: list[str] = []
"""The ids of this process's flow runs that have not ended."""

log = logging.getLogger("winnow")


def server_lost_message(api: str) -> str:
    """Return the message for a run that is complete, but lost its server."""
    return f"the data is complete; the Prefect server at {redact_text(api)} was lost and has no report of it"


def configured_api() -> str | None:
    """Return the server's address from the environment or Prefect's profile; None if no server is configured."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url or None


def require_server(api: str) -> None:
    """Raise ServerUnavailable unless the server answers within START_TIMEOUT."""
    deadline = time.monotonic() + START_TIMEOUT
    while (problem := health_error(api)) is not None:
        if time.monotonic() > deadline:
            raise ServerUnavailable(
                f"no Prefect server at {redact_text(api)} ({error_line(problem)}): start it, or unset "
                "PREFECT_API_URL to run with a temporary one"
            )
        time.sleep(1)


def client(api: str) -> Any:
    """Return Prefect's client of this server; the configured credentials are for the configured server only."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.settings import get_current_settings

    settings = get_current_settings().api
    names = ("key", "auth_string") if api.rstrip("/") == (settings.url or "").rstrip("/") else ()
    secrets = {name: value.get_secret_value() for name in names if (value := getattr(settings, name))}
    return SyncPrefectClient(
        api,
        api_key=secrets.get("key"),
        auth_string=secrets.get("auth_string"),
        httpx_settings={"timeout": 5.0},
    )


def health_error(api: str) -> Exception | None:
    """Return why the server does not answer well; None if it does."""
    try:
        with client(api) as server:
            problem: Exception | None = server.api_healthcheck()
            return problem
    except Exception as error:
        return error


def current_flow_run() -> dict[str, Any]:
    """Return the id (`flow_run`) and the `name` of the flow run in this process, and its server (`api`)."""
    from prefect.runtime import flow_run

    return {"api": redact_text(current_api()), "flow_run": str(flow_run.id), "name": flow_run.name}


def current_api() -> str:
    """Return the address of the server that Prefect uses: the configured one, or one that Prefect has started."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as server:
        return str(server.api_url).rstrip("/")


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


def watch_server(run: Path) -> None:
    """Watch the server from now on, and continue the run without it if it is lost.

    Only a process that has no other work is replaced: that of a command, and that of a flow run by a worker.
    """
    owner = current_flow_run()
    if not current and os.environ.get("PREFECT__FLOW_RUN_ID") != owner["flow_run"]:
        return
    watched = "run" in current
    current.update(owner, run=run)
    if not watched:
        threading.Thread(target=_watch, args=(current_api(),), daemon=True, name="server watch").start()


def _watch(api: str) -> None:
    last_answer = time.monotonic()
    while True:
        time.sleep(POLL_SECONDS)
        problem = health_error(api)
        silence = time.monotonic() - last_answer
        if problem is None:
            last_answer = time.monotonic()
        elif silence > (REFUSED_TIMEOUT if isinstance(problem, httpx.ConnectError) else SILENT_TIMEOUT):
            continue_without_server(api, current["run"])


def continue_without_server(api: str, run: Path) -> None:
    """Replace this process by `winnow resume` with a temporary server; just end it if the output is complete."""
    end_children()
    with suppress(Exception):  # the output may be out of reach as well
        if (run / "_SUCCESS.json").exists():
            print(f"winnow: {server_lost_message(api)}", file=sys.stderr, flush=True)
            os._exit(ServerLost.exit_code)
    message = f"winnow: the Prefect server at {redact_text(api)} is lost; the run continues with a temporary one"
    print(message, file=sys.stderr, flush=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    environment |= {"PREFECT_API_URL": "", LOST_SERVER: redact_text(api)}  # an empty URL overrides that of a profile
    os.execve(sys.executable, [sys.executable, "-P", "-m", "cli.app", "resume", str(run)], environment)


def end_children() -> None:
    """Kill all processes that this one has started, and theirs."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


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
    """Call a function in a thread, for at most so long: a signal's handler may hold any lock of its own thread."""
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


def require_configured_server() -> str:
    """Return the configured server's address; raise ServerUnavailable if there is none or it does not answer."""
    set_prefect_defaults()
    if (api := configured_api()) is None:
        raise ServerUnavailable(
            "no Prefect server is configured: start one (prefect server start), and set PREFECT_API_URL "
            "(http://127.0.0.1:4200/api)"
        )
    require_server(api.rstrip("/"))
    return api.rstrip("/")

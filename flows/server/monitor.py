"""The Prefect server as seen from a run: there at the start, watched until the end, and told when a run is dead.

A run does not need its server to keep its promise. When the server is lost, the process starts over as `winnow resume`
with a server of its own: what is committed stays, the rest is done, and the exit code says what is missing.
"""

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from flows.server.environment import set_prefect_defaults
from winnow.errors import ServerLost, ServerUnavailable
from winnow.parameters.redaction import redact_text

PATIENCE = 20.0  # seconds for a server to answer at the start
POLL = 3.0
LOST = 15.0  # seconds without anybody at the server's address
SILENT = 90.0  # seconds without a good answer from somebody there: a busy server is slow
ORPHANED = "WINNOW_SERVER_LOST"  # set for the process that goes on

current: dict[str, Any] = {}
"""The flow run that this process works for, if it has no other work, and the folder of its run."""

log = logging.getLogger("winnow")


def server_lost_message(api: str) -> str:
    """Say that the run is complete and that its server was lost."""
    return f"the data is complete; the Prefect server at {redact_text(api)} was lost and has no report of it"


def configured_api() -> str | None:
    """The address of the server that was asked for, in the environment or in Prefect's profile."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url or None


def require_server(api: str) -> None:
    """Raise unless the server answers within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while (problem := health_error(api)) is not None:
        if time.monotonic() > end:
            raise ServerUnavailable(
                f"no Prefect server at {redact_text(api)} ({redact_text(str(problem))}): start it, or unset "
                "PREFECT_API_URL to run with a temporary one"
            )
        time.sleep(1)


def client(api: str) -> Any:
    """Prefect's client for just this server, with the credentials and certificates that Prefect was given."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.settings import get_current_settings

    given = get_current_settings().api
    secrets = {name: value.get_secret_value() for name in ("key", "auth_string") if (value := getattr(given, name))}
    return SyncPrefectClient(
        api,
        api_key=secrets.get("key"),
        auth_string=secrets.get("auth_string"),
        httpx_settings={"timeout": 5.0},
    )


def health_error(api: str) -> Exception | None:
    """Why the server did not answer well, if it did not."""
    try:
        with client(api) as server:
            problem: Exception | None = server.api_healthcheck()
            return problem
    except Exception as error:
        return error


def current_flow_run() -> dict[str, Any]:
    """The flow run that runs here, and its server."""
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    with get_client(sync_client=True) as server:
        return {"api": str(server.api_url).rstrip("/"), "flow_run": str(flow_run.id), "name": flow_run.name}


def watch_server(run: Path) -> None:
    """From now on, go on without the server when it is lost; only where the process is the run's alone.

    That is so for the command, and for a flow run that a worker started a process for.
    """
    owner = current_flow_run()
    if not current and os.environ.get("PREFECT__FLOW_RUN_ID") != owner["flow_run"]:
        return
    watched = "run" in current
    current.update(owner, run=run)
    if not watched:
        threading.Thread(target=_watch, args=(current["api"],), daemon=True, name="server watch").start()


def _watch(api: str) -> None:
    heard = time.monotonic()
    while True:
        time.sleep(POLL)
        problem = health_error(api)
        silence = time.monotonic() - heard
        if problem is None:
            heard = time.monotonic()
        elif silence > (LOST if isinstance(problem, httpx.ConnectError) else SILENT):
            continue_without_server(api, current["run"])


def continue_without_server(api: str, run: Path) -> None:
    """Become `winnow resume`, with a server of its own; or end, if all is written."""
    end_children()
    with suppress(Exception):  # the store may be out of reach as well
        if (run / "_SUCCESS.json").exists():
            print(f"winnow: {server_lost_message(api)}", file=sys.stderr, flush=True)
            os._exit(ServerLost.exit_code)
    said = f"winnow: the Prefect server at {redact_text(api)} is lost; going on with one of our own"
    print(said, file=sys.stderr, flush=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    own |= {"PREFECT_API_URL": "", ORPHANED: redact_text(api)}  # empty, it goes before that of a profile
    os.execve(sys.executable, [sys.executable, "-P", "-m", "cli.app", "resume", str(run)], own)


def end_children() -> None:
    """End what this process started, of which some may have ended by itself."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


def mark_cancelled(word: str) -> None:
    """Say at the server that this process's flow run was stopped on purpose."""
    if "flow_run" in current:
        set_state(current["api"], current["flow_run"], "Cancelled", f"{word} at its terminal")


def set_state(api: str, flow_run: str, state: str, message: str) -> None:
    """Set the state of a flow run that cannot do so itself; a server that does not answer is left alone."""
    from prefect.client.schemas.objects import State, StateType

    try:
        with client(api) as server:
            new: Any = State(type=StateType(state.upper()), name=state, message=message)
            server.set_flow_run_state(flow_run, new, force=True)
    except Exception as error:
        log.warning("flow run %s stays as it is at the server: %s", flow_run, redact_text(str(error)))


def mark_crashed(owner: dict[str, Any]) -> None:
    """Say of a run that died without a word that it crashed."""
    api, flow_run = owner.get("api"), owner.get("flow_run")
    if not api or not flow_run or health_error(api) is not None:
        return
    with suppress(Exception), client(api) as server:  # it is a courtesy, and stops nobody
        state = server.read_flow_run(flow_run).state
        if state and state.type.value in ("RUNNING", "PENDING"):
            set_state(api, flow_run, "Crashed", "its process died; another run goes on with its output")


def require_configured_server() -> str:
    """The address of the server that is configured and answers."""
    set_prefect_defaults()
    if (api := configured_api()) is None:
        raise ServerUnavailable(
            "no Prefect server is configured: start one (prefect server start), and set PREFECT_API_URL "
            "(http://127.0.0.1:4200/api)"
        )
    require_server(api.rstrip("/"))
    return api.rstrip("/")

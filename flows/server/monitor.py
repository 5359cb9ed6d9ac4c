"""The Prefect server as a run sees it: required at the start, and watched until the end.

A run, an export and a segmentation complete their data without their server. If it is lost, the process replaces itself
by the command that continues, with a temporary server: committed work is kept, the rest is done, and exit code 4 says
that the server has no report.
"""

import os
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from flows.server.environment import set_prefect_defaults
from winnow.errors import ServerLost, ServerUnavailable
from winnow.parameters.redaction import error_line, redact_text

START_TIMEOUT = 20.0  # seconds for a server to answer at the start
POLL_SECONDS = 3.0
REFUSED_TIMEOUT = 15.0  # seconds after which a server that refuses connections is lost
SILENT_TIMEOUT = 90.0  # seconds after which a server that gives no good answer is lost: a busy one is slow
LOST_SERVER = "WINNOW_SERVER_LOST"  # environment variable of a resumed run: the server that was lost

current: dict[str, Any] = {}
"""In a process that has no other work: its `pid`, its flow run (see `current_flow_run`), the folder of its `output`,
and the words of the `command` that continues."""


def server_lost_message(api: str) -> str:
    """Return the message for a command whose output is complete, but that lost its server."""
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
    options: dict[str, Any] = {"timeout": 5.0}
    if api.startswith("http:"):  # otherwise each client parses all known certificates, which takes 50 ms
        options["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return SyncPrefectClient(
        api, api_key=secrets.get("key"), auth_string=secrets.get("auth_string"), httpx_settings=options
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


def raise_if_server_was_lost() -> None:
    """Raise ServerLost if this process continues what another one began, whose server was lost."""
    if api := os.environ.get(LOST_SERVER):
        raise ServerLost(server_lost_message(api))


def watch_server(output: Path | None, command: Sequence[str]) -> None:
    """Watch the server from now on, and continue by this command of winnow without it if it is lost.

    Only a process that has no other work is replaced: that of a command, and that of a flow run by a worker.
    """
    owner = current_flow_run()
    if not current and os.environ.get("PREFECT__FLOW_RUN_ID") != owner["flow_run"]:
        return
    watched = "command" in current
    current.update(owner, output=output, command=command)
    if not watched:
        threading.Thread(target=_watch, args=(current_api(),), daemon=True, name="server watch").start()


def _watch(api: str) -> None:
    last_answer = time.monotonic()
    while "command" in current:
        time.sleep(POLL_SECONDS)
        problem = health_error(api)
        silence = time.monotonic() - last_answer
        if problem is None:
            last_answer = time.monotonic()
        elif silence > (REFUSED_TIMEOUT if isinstance(problem, httpx.ConnectError) else SILENT_TIMEOUT):
            continue_without_server(api, current["output"], current["command"])


def continue_without_server(api: str, output: Path | None, command: Sequence[str]) -> None:
    """Replace this process by a command of winnow with a temporary server; just end it if the output is complete."""
    end_children()
    with suppress(Exception):  # the output may be out of reach as well
        if output and (output / "_SUCCESS.json").exists():
            print(f"winnow: {server_lost_message(api)}", file=sys.stderr, flush=True)
            os._exit(ServerLost.exit_code)
    message = f"winnow: the Prefect server at {redact_text(api)} is lost; the work continues with a temporary one"
    print(message, file=sys.stderr, flush=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    environment |= {"PREFECT_API_URL": "", LOST_SERVER: redact_text(api)}  # an empty URL overrides that of a profile
    os.execve(sys.executable, [sys.executable, "-P", "-m", "cli.app", *command], environment)


def end_children() -> None:
    """Kill all processes that this one has started, and theirs."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


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

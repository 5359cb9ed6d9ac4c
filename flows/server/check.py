"""Whether the configured Prefect server answers."""

from collections.abc import Iterator

from winnow.doctor.findings import Finding, failed, ok


def check_server() -> Iterator[Finding]:
    """Whether the Prefect server that is configured answers."""
    from flows.server import monitor
    from winnow.parameters.redaction import redact_text

    api = monitor.configured_api()
    problem = monitor.health_error(api) if api else None
    if api is None:
        yield ok("server", "no Prefect server is configured, so each run starts one for its time")
    elif problem is None:
        yield ok("server", f"{redact_text(api)} answers")
    else:
        said = redact_text(f"{type(problem).__name__}: {problem}".splitlines()[0])
        remedy = "prefect server start, or set PREFECT_API_URL to nothing: then a run starts a server of its own"
        yield failed("server", f"{redact_text(api)} does not answer ({said})", remedy)

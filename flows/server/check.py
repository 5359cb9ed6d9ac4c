"""The doctor's check of the Prefect server."""

from collections.abc import Iterator

from winnow.doctor.findings import Finding, failed, ok


def check_server() -> Iterator[Finding]:
    """Check that the configured Prefect server answers."""
    from flows.server import monitor
    from winnow.parameters.redaction import redact_text

    api = monitor.configured_api()
    problem = monitor.health_error(api) if api else None
    if api is None:
        yield ok("server", "no Prefect server is configured, so each run starts a temporary one")
    elif problem is None:
        yield ok("server", f"{redact_text(api)} answers")
    else:
        cause = redact_text(f"{type(problem).__name__}: {problem}".splitlines()[0])
        remedy = "start it (prefect server start), or unset PREFECT_API_URL to run with a temporary one"
        yield failed("server", f"{redact_text(api)} does not answer ({cause})", remedy)

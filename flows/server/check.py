"""The doctor's check of the Prefect server."""

from collections.abc import Iterator

from winnow.doctor.findings import Finding, failed, ok


def check_server() -> Iterator[Finding]:
    """Check that the configured Prefect server answers, and that the proxies in the environment can be used."""
    from flows.server import monitor
    from flows.server.proxies import require_usable_proxies
    from winnow.errors import OptionError
    from winnow.parameters.redaction import error_line, redact_text

    try:
        require_usable_proxies()
    except OptionError as error:
        yield failed("proxy", str(error), "correct it in the environment, or unset it")
        return
    api = monitor.configured_api()
    problem = monitor.health_error(api) if api else None
    if api is None:
        yield ok("server", "no Prefect server is configured, so each run starts a temporary one")
    elif problem is None:
        yield ok("server", f"{redact_text(api)} answers")
    else:
        cause = error_line(problem)
        remedy = "start it (prefect server start), or unset PREFECT_API_URL to run with a temporary one"
        yield failed("server", f"{redact_text(api)} does not answer ({cause})", remedy)

"""Environment variables that Winnow sets for Prefect, where the user has not."""

import os

PREFECT_DEFAULTS = {
    # the terminal shows what winnow says; Prefect's own words are in its UI
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "winnow",
    # one write for each event, the default, is slower than the events come, and what does not fit its queue is lost
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


def set_prefect_defaults() -> None:
    """Set them before Prefect is imported, which reads its settings then."""
    for name, value in PREFECT_DEFAULTS.items():
        os.environ.setdefault(name, value)

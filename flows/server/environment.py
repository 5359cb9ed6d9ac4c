"""Environment variables that the command sets for Prefect and for Python, unless the user has set them."""

import os

PREFECT_DEFAULTS = {
    # the terminal shows Winnow's own log; Prefect's is in its UI
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "winnow",
    # by default events are written one by one, slower than they arrive, and those that overflow the queue are lost
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


def keep_current_folder_off_path() -> None:
    """Keep Python processes that libraries start (Dask's workers, Prefect's runs) from importing the user's files.

    A `tasks.py` or `types.py` in the current folder would otherwise take the place of our modules and of Python's own.
    """
    os.environ.setdefault("PYTHONSAFEPATH", "1")


def set_prefect_defaults() -> None:
    """Set the defaults. Call this before Prefect is imported, because Prefect reads its settings then."""
    for name, value in PREFECT_DEFAULTS.items():
        os.environ.setdefault(name, value)

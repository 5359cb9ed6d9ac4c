"""Retries of tasks: a failure of a device, a disk or a network may pass, bad input does not."""

from typing import Any

from winnow.runs.store_errors import store_error

TRANSIENT = (OSError, RuntimeError, MemoryError)


def is_retryable(task: object, run: object, state: Any) -> bool:
    """Tell Prefect whether to retry a task: Winnow's own errors say so, other errors count by their class."""
    failure = state.result(raise_on_failure=False)
    failure = store_error(failure) or failure if isinstance(failure, Exception) else failure
    return bool(getattr(failure, "retryable", isinstance(failure, TRANSIENT)))


RETRY: Any = {"retries": 2, "retry_delay_seconds": [5, 30], "retry_condition_fn": is_retryable}
"""Options of `@task` for a task that uses a device, a disk or a network."""

"""Which failures are retried: those of a device, a disk or a network, never bad input."""

from typing import Any

TRANSIENT = (OSError, RuntimeError, MemoryError)


def is_retryable(task: object, run: object, state: Any) -> bool:
    """Tell Prefect whether to retry: Winnow's own errors know it, others by their class."""
    failure = state.result(raise_on_failure=False)
    return bool(getattr(failure, "retryable", isinstance(failure, TRANSIENT)))


RETRY: Any = {"retries": 2, "retry_delay_seconds": [5, 30], "retry_condition_fn": is_retryable}
"""Options of `@task` for a task that uses a device, a disk or a network."""

"""Which failures another attempt may mend: a device, a disk or a network; never bad input."""

from typing import Any

from winnow.engines.nemo.preflight import CheckpointError



def is_retryable(task: object, run: object, state: Any) -> bool:
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, OSError | RuntimeError | MemoryError) and not isinstance(failure, CheckpointError)


RETRY: Any = {"retries": 2, "retry_delay_seconds": [5, 30], "retry_condition_fn": is_retryable}
"""For the decorator of a task that uses a device, a disk or a network."""

"""Which failures another attempt may mend: a device, a disk or a network; never bad input."""

from typing import Any

from tasks.checkpoints.checkpoint import BadCheckpoint


def may_pass(task: object, run: object, state: Any) -> bool:
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, OSError | RuntimeError | MemoryError) and not isinstance(failure, BadCheckpoint)


RETRY: Any = {"retries": 2, "retry_delay_seconds": [5, 30], "retry_condition_fn": may_pass}
"""For the decorator of a task that uses a device, a disk or a network."""

"""Items that flow through steps: each goes on as soon as it can, and no step waits for all of the one before."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, Protocol

from flows.orchestrator import Future
from winnow.errors import WinnowError

LIGHT_TASKS = 4  # tasks without a model that run at the same time

Futures = list[Future]


class Grouping(Protocol):
    """Turns the results of a step, which come in the order of its items, into items of the next step."""

    def add(self, result: Any) -> list[Any]:
        """Take a result; return the items that are complete with it."""

    def rest(self) -> list[Any]:
        """Return what is left after the last result."""


class Ungrouped:
    """Each result is an item, and a list of results is several."""

    def add(self, result: Any) -> list[Any]:
        return result if isinstance(result, list) else [result]

    def rest(self) -> list[Any]:
        return []


def light_tasks() -> int:
    return LIGHT_TASKS


@dataclass
class Step:
    """What is done to each item.

    `submit` starts the tasks of an item and returns their futures, of which the last one has the item's result. At
    most `limit()` items are in work at the same time. Each of `on_result` is called with every result as it comes,
    in no particular order.
    """

    submit: Callable[[Any], Futures]
    limit: Callable[[], int] = light_tasks
    grouping: Grouping = field(default_factory=Ungrouped)
    on_result: list[Callable[[Any], None]] = field(default_factory=list)
    waiting: deque[Any] = field(default_factory=deque)
    chains: list[Futures] = field(default_factory=list)
    """The futures of each item, in the order of the items."""
    running: set[int] = field(default_factory=set)
    passed_on: int = 0
    """How many items have been passed on to the next step."""

    @property
    def idle(self) -> bool:
        return not self.waiting and self.passed_on == len(self.chains)

    def fill(self, ended: "SimpleQueue[tuple[Step, int]]") -> None:
        """Start as many items as the limit allows; each puts its number into the queue when it ends."""
        while self.waiting and len(self.running) < self.limit():
            number = len(self.chains)
            self.chains.append(chain := self.submit(self.waiting.popleft()))
            self.running.add(number)
            chain[-1].add_done_callback(lambda _, number=number: ended.put((self, number)))  # type: ignore[misc]

    def pass_on(self) -> list[Any]:
        """Return the next step's items from what has ended, in order; failed items are left out."""
        items = []
        while self.passed_on < len(self.chains) and self.passed_on not in self.running:
            chain = self.chains[self.passed_on]
            self.passed_on += 1
            if first_failure(chain) is None:
                items += self.grouping.add(chain[-1].result())
        return items

    def results(self, task: int = -1) -> list[Any]:
        """Return the results of each item's last task, or of another one, in order; lists are flattened."""
        results = [chain[task].result() for chain in self.chains]
        return [item for result in results for item in (result if isinstance(result, list) else [result])]


def stream(items: Iterable[Any], *steps: Step) -> None:
    """Take the items through all steps.

    A failed item does not stop the others; at the end, the failure of the earliest step is raised. One of Winnow's own
    errors that no other attempt can mend is raised at once.
    """
    steps[0].waiting.extend(items)
    ended: SimpleQueue[tuple[Step, int]] = SimpleQueue()
    open_steps = list(steps)
    while open_steps:
        for step in reversed(steps):
            step.fill(ended)
        if any(step.running for step in steps):
            step, number = ended.get()
            handle_end(step, number)
        for before, after in pairwise(steps):
            after.waiting.extend(before.pass_on())
        steps[-1].pass_on()
        while open_steps and open_steps[0].idle:
            finished = open_steps.pop(0)
            if open_steps:
                open_steps[0].waiting.extend(finished.grouping.rest())
    for step in steps:
        for chain in step.chains:
            if (error := first_failure(chain)) is not None:
                raise error


def handle_end(step: Step, number: int) -> None:
    """Report the result of an item that has ended, or raise an error that ends the run."""
    step.running.remove(number)
    chain = step.chains[number]
    error = first_failure(chain)
    if error is None:
        result = chain[-1].result()
        for call in step.on_result:
            call(result)
    elif isinstance(error, WinnowError) and not error.retryable:
        raise error


def first_failure(chain: Futures) -> Exception | None:
    """Return the exception of the first task in the chain that failed."""
    for future in chain:
        try:
            future.result()
        except Exception as error:
            return error
    return None

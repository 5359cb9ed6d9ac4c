"""Work that flows from step to step: an item goes on as soon as it may, and no step waits for all of the one before."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, Protocol

from prefect.futures import PrefectFuture

from winnow.errors import WinnowError

Futures = list[PrefectFuture[Any]]


class Grouping(Protocol):
    """What a step's results become for the next one: they come in the order of its items."""

    def add(self, result: Any) -> list[Any]: ...
    def rest(self) -> list[Any]: ...


class OneByOne:
    """Each result is an item; a list of results is several."""

    def add(self, result: Any) -> list[Any]:
        return result if isinstance(result, list) else [result]

    def rest(self) -> list[Any]:
        return []


@dataclass
class Step:
    """What is done to each item: `start` submits its tasks, of which the last has the result; so many items at once."""

    start: Callable[[Any], Futures]
    at_once: Callable[[], int]
    gather: Grouping = field(default_factory=OneByOne)
    done: list[Callable[[Any], None]] = field(default_factory=list)
    """Told of each result as it comes, out of order."""
    waiting: deque[Any] = field(default_factory=deque)
    chains: list[Futures] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    handed: int = 0

    @property
    def idle(self) -> bool:
        return not self.waiting and self.handed == len(self.chains)

    def fill(self, ended: "SimpleQueue[tuple[Step, int]]") -> None:
        """Start as many items as may run."""
        while self.waiting and len(self.running) < self.at_once():
            number = len(self.chains)
            self.chains.append(chain := self.start(self.waiting.popleft()))
            self.running.add(number)
            chain[-1].add_done_callback(lambda _, number=number: ended.put((self, number)))  # type: ignore[misc]

    def hand_on(self) -> list[Any]:
        """The next step's items of what has ended, in order; what failed is left out."""
        items = []
        while self.handed < len(self.chains) and self.handed not in self.running:
            chain = self.chains[self.handed]
            self.handed += 1
            if first_failure(chain) is None:
                items += self.gather.add(chain[-1].result())
        return items

    def results(self, task: int = -1) -> list[Any]:
        """What each item's task gave, in order; those of a list one by one."""
        found = [chain[task].result() for chain in self.chains]
        return [one for result in found for one in (result if isinstance(result, list) else [result])]


def stream(items: Iterable[Any], *steps: Step) -> None:
    """Take the items through all steps.

    A failure leaves the others to be done, and is raised at the end: the one that was first in the pipeline. One that
    ends the run as a whole (it has an exit code) is raised at once.
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
            after.waiting.extend(before.hand_on())
        steps[-1].hand_on()
        while open_steps and open_steps[0].idle:
            over = open_steps.pop(0)
            if open_steps:
                open_steps[0].waiting.extend(over.gather.rest())
    for step in steps:
        for chain in step.chains:
            if (error := first_failure(chain)) is not None:
                raise error


def handle_end(step: Step, number: int) -> None:
    """An item of the step has ended: say so, or raise what ends the run."""
    step.running.remove(number)
    chain = step.chains[number]
    error = first_failure(chain)
    if error is None:
        result = chain[-1].result()
        for told in step.done:
            told(result)
    elif isinstance(error, WinnowError) and not error.retryable:
        raise error


def first_failure(chain: Futures) -> Exception | None:
    """What the first task of the chain raised that failed."""
    for future in chain:
        try:
            future.result()
        except Exception as error:
            return error
    return None

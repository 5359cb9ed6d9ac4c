"""The bars that a command shows below its log: one for each pass, each with words."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from cli.console import console, errors

BAR_WIDTH = 20  # characters, so that the words fit into a line of 80


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show the progress of each pass, if standard error is a terminal and --quiet was not given."""
    from flows.progress import listeners

    if not errors.is_terminal or console.quiet:
        yield
        return
    columns = TextColumn("{task.fields[name]}"), BarColumn(BAR_WIDTH), TaskProgressColumn()
    with Progress(*columns, TextColumn("{task.description}"), console=errors) as bars:
        errors.show_cursor(True)  # a run may end at any time, and must not leave a terminal without a cursor
        tasks = dict[str, TaskID]()

        def show(name: str, share: float, description: str) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(description, total=1.0, name=name)
            bars.update(tasks[name], completed=share, description=description)

        listeners.append(show)
        try:
            yield
        finally:
            listeners.remove(show)

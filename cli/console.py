"""The consoles of all commands: results on standard output, progress and errors on standard error; and --json."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from winnow.errors import OutputError
from winnow.input_files import expand_home
from winnow.printable import printable


class EscapingConsole(Console):
    """A console whose terminal obeys only rich, and no text that is printed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"highlight": False} | options))

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


console = EscapingConsole()
errors = EscapingConsole(stderr=True)


def even_if_quiet(chosen: Console) -> Console:
    """Return the console for warnings and errors among results: standard error where --quiet silences this one."""
    return errors if chosen.quiet else chosen


JsonFile = Annotated[list[Path] | None, Parameter(consume_multiple=(0, 1))]
"""The option --json: a file, or - or nothing for standard output."""

STANDARD_OUTPUT = "-"


Results = tuple[Console, Callable[[Any], None]]
"""The console for people, and what writes results as JSON."""


@contextmanager
def json_results(given: list[Path] | None) -> Iterator[Results]:
    """Yield the console for people, and a function that writes results as JSON where --json says, if it is given.

    If that is standard output, the JSON is alone there: all else, even what libraries print, goes to standard error.
    """
    target = None if given is None else str(given[0]) if given else STANDARD_OUTPUT
    if target is None:
        yield console, lambda results: None
    elif target == STANDARD_OUTPUT:
        with alone_on_standard_output() as write:
            yield (console if console.quiet else errors), lambda results: write(to_json(results))
    else:
        file = check_json_file(target)

        def write_file(results: Any) -> None:
            file.write_text(to_json(results))

        yield console, write_file


@contextmanager
def alone_on_standard_output() -> Iterator[Callable[[str], None]]:
    """Yield a function that writes to standard output; what anything else writes there goes to standard error."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(descriptor, "w", closefd=False) as standard_output:

            def write(text: str) -> None:
                standard_output.write(text)
                standard_output.flush()

            yield write
    finally:
        os.dup2(descriptor, 1)
        os.close(descriptor)


def check_json_file(target: str) -> Path:
    """Return the file for JSON; raise OutputError, before any work is done, if it cannot be one."""
    from winnow.engines.registry import is_path

    file = expand_home(target)
    if is_path(target) and file.suffix != ".json":
        raise OutputError(f"--json {target}: a model would be overwritten: give a .json file")
    if file.is_dir() or not file.parent.is_dir():
        raise OutputError(f"--json {target}: not a file in an existing folder")
    return file


def to_json(results: Any) -> str:
    return json.dumps(results, indent=2) + "\n"


def table_of(rows: list[dict[str, str]]) -> Table:
    """Return rows as a table whose first column has their names, and whose others have numbers."""
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row.values())
    return table

"""The consoles of all commands: results on standard output, progress and errors on standard error."""

from rich.console import Console

console = Console(highlight=False)


errors = Console(stderr=True, highlight=False)

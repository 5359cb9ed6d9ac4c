"""The consoles of all commands: results on standard output, progress and errors on standard error."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from winnow.inert import inert


class InertConsole(Console):
    """A console whose terminal obeys only rich, and no text that is printed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(inert(segment.text), segment.style)

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"highlight": False} | options))


console = InertConsole()


errors = InertConsole(stderr=True)

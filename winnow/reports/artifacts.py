"""Where figures are shown besides the files of a run."""

from collections.abc import Callable
from typing import Any, Protocol


class Artifacts(Protocol):
    """Where a report is shown besides the files of the run: in Prefect's UI, or nowhere."""

    def markdown(self, text: Callable[[], str], key: str, description: str) -> None:
        """Show a text in Markdown, which is made only if it is shown."""

    def table(self, rows: list[dict[str, Any]], key: str, description: str) -> None:
        """Show a table."""

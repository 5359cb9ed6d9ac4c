"""The `winnow` command. Nothing heavy is imported until a command runs."""

import sys
from importlib.metadata import version
from typing import Annotated

from cyclopts import App, Parameter

from tasks.config import Curation

app = App(
    name="winnow",
    help="Turn speech manifests into datasets that one can train on.",
    version=version("winnow"),
    help_epilogue="Exit codes: 0 done, 1 failed, 2 wrong input, 7 checkpoint refused, 8 output of another run, "
    "130 interrupted.",
)


@app.command
def curate(settings: Annotated[Curation, Parameter(name="*")]) -> None:
    """Transcribe a manifest with a small and a large model and keep what agrees with its references.

    The same command again goes on where it stopped, and does nothing twice.
    """
    from flows.terminal import curate

    curate(settings)


def main(words: list[str] | None = None) -> None:
    """Run the command; an error that its user can mend is one line, any other comes with its traceback."""
    try:
        app(words)
    except Exception as error:
        if (code := getattr(error, "exit_code", None)) is None:
            raise
        print("winnow:", error, *(f"({note})" for note in getattr(error, "__notes__", [])), file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()

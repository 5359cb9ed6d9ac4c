"""The `winnow` command. Nothing heavy is imported until a command runs."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tasks.config import Curation, Share
from tasks.upkeep import Benchmark, Doctor, WarmUp

EXIT_CODES = {
    0: "done",
    1: "failed",
    2: "wrong input, option or output",
    3: "no Prefect server",
    4: "data complete, but the Prefect server was lost",
    5: "disk full",
    6: "another run works on the output",
    7: "checkpoint refused",
    8: "the output is another run's",
    9: "a Dask scheduler that others reach, without TLS",
    10: "too much quarantined",
    11: "the model is broken",
    130: "interrupted",
    143: "terminated",
}

NOTHING = Doctor()

app = App(
    name="winnow",
    help="Turn speech manifests into datasets that one can train on.",
    version=version("winnow"),
    help_epilogue="Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)


@app.command
def curate(settings: Annotated[Curation, Parameter(name="*")]) -> None:
    """Transcribe a manifest with a small and a large model and keep what agrees with its references.

    The same command again goes on where it stopped, and does nothing twice.
    """
    from flows.terminal import curate

    curate(settings)


@app.command
def nightly(settings: Annotated[Curation, Parameter(name="*")]) -> None:
    """Curate what is new in a manifest that grows, each time in a folder of its own below the output.

    A night that was interrupted is finished first; where nothing is new, nothing is done.
    """
    from flows.terminal import nightly

    nightly(settings)


@app.command
def resume(output: str, *, max_quarantined: Share | None = None) -> None:
    """Go on with the run in a folder, wherever it was stopped; parameters are those that it was started with.

    Args:
        output: Folder of the run, or an object store's (s3://bucket/folder)
        max_quarantined: Share of the utterances (0 to 1) that may be quarantined; empty: as at the start
    """
    from flows.terminal import curate
    from tasks.output import asked_of
    from tasks.storage import location

    settings = asked_of(location(output))
    if max_quarantined is not None:
        settings = settings.model_copy(update={"max_quarantined": max_quarantined})
    curate(settings)


@app.command
def verify(output: str) -> None:
    """Count and hash a run's files anew: every line of its manifest once, every file as it was recorded.

    Ends with 0 if all of it holds, else with 1.

    Args:
        output: Folder of the run, or an object store's (s3://bucket/folder)
    """
    from flows.terminal import verify

    sys.exit(0 if verify(output) else 1)


@app.command
def warm_up(
    settings: Annotated[WarmUp, Parameter(name="*", negative_iterable="")], *, json: Path | None = None
) -> None:
    """Have models at hand before a run needs them: fetch, copy and examine them, and say how to pin them.

    What is at hand is not fetched again, and a download that was interrupted goes on. One that fails stops no other.

    Args:
        json: File for what became of each model
    """
    from flows.chores import warm_up

    warm_up(settings, json)


@app.command
def doctor(settings: Annotated[Doctor, Parameter(name="*")] = NOTHING, *, json: Path | None = None) -> None:
    """Look for whatever would stop a run here, and say what mends it: a line a check, ok, warning or failed.

    Ends with 0 if nothing failed, else with 1. It ends with a run of one utterance, so it takes most of a minute.

    Args:
        json: File for what was found
    """
    from flows.checkup import checkup

    sys.exit(0 if checkup(settings, json) else 1)


@app.command
def benchmark(settings: Annotated[Benchmark, Parameter(name="*", consume_multiple=True, negative_iterable="")]) -> None:
    """Measure models on a manifest and this machine: accuracy, speed, memory and load time, one after the other.

    What the output holds of the same models, manifest and device is compared with.
    """
    from flows.chores import benchmark

    benchmark(settings)


@app.command
def deploy(*, notify: str | None = None) -> None:
    """Make on a Prefect server what runs need: work pools, deployments and automations; again, to bring it up to date.

    Args:
        notify: Address that is told of failed and crashed runs by POST (a Slack or Mattermost webhook, say)
    """
    from deployments.deploy import deploy

    deploy(notify)


@app.command
def serve() -> None:
    """Run from Prefect's UI whatever is asked of this machine, without work pools and workers, until it is stopped."""
    from deployments.serve import serve_flows

    serve_flows()


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

"""The commands about what finished runs have. What they do is imported only by the command that needs it."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cli.console import JsonFile
from winnow.parameters.export import Export
from winnow.parameters.review import Port, Reviewer
from winnow.parameters.settings import Count


def verify(output: str, *, json: JsonFile = None) -> None:
    """Check that a run's output has every line of the manifest exactly once and that its files are unchanged.

    An export is checked in the same way: it has every kept row once. Of segments, seconds and words are counted.

    The exit code is 0 if every check holds, otherwise 1.

    Args:
        output: Folder of the run, export or segments, local or in an object store (s3://bucket/folder)
        json: File to which each check is written; without a file, standard output
    """
    from cli.verify import verify

    sys.exit(0 if verify(output, json) else 1)


def diff(before: str, after: str, *, fail_on: list[str] | None = None, json: JsonFile = None) -> None:
    """Say what differs between two runs: decisions and why, hours, error rates by slice, models and settings.

    Rows are matched by their audio, not by their line. The same is written to the later run: diff.html and diff.json.

    Args:
        before: Folder of the earlier run
        after: Folder of the later run
        fail_on: Changes that end the command with exit code 12, such as kept_hours<-1% or wer>0.01
        json: File to which the figures are written; without a file, standard output
    """
    from cli.diff import diff

    diff(before, after, fail_on or [], json)


def review(
    run: str,
    *,
    reviewer: Reviewer | None = None,
    port: Port = 0,
    label_studio: Path | None = None,
    import_label_studio: Path | None = None,
    rows: Path | None = None,
    most: Count = 1_000,
) -> None:
    """Serve an app in which a person listens to the doubtful rows of a finished run, and decides.

    Only this machine can reach it, by the address that is printed. Decisions are written to RUN/reviews; several people
    may review a run at once. winnow refilter --reviews and winnow relabel --reviews make a new run that follows them.
    If a file is named, it is written or read, and nothing is served.

    Args:
        run: Folder of the finished run, on a local disk
        reviewer: Name of the person who decides. Default: the name of the user
        port: Port of the app. Default: any free one
        label_studio: File for tasks of Label Studio: what is most worth a decision. Their audio goes to FILE.audio
        import_label_studio: File with what people decided in Label Studio, exported as JSON
        rows: File for the dropped rows and what was decided about them, ending in .csv or .jsonl
        most: How many tasks are written
    """
    from cli.review import review

    review(run, reviewer, port, label_studio, import_label_studio, rows, most)


def export(settings: Annotated[Export, Parameter(name="*", negative_iterable="")], *, json: JsonFile = None) -> None:
    """Write the kept utterances of a finished run, with their audio, in a form that trainers read.

    The same command again resumes an export that was stopped, and writes the same bytes.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.export import export

    export(settings, json)

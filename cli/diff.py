"""Print what differs between two runs, and write it as a page and as JSON."""

from pathlib import Path

from rich.markdown import Markdown

from cli.console import json_results
from winnow.diff.difference import compare_runs
from winnow.diff.limits import parse_limit, violations
from winnow.diff.render import render_difference
from winnow.diff.write import write_difference
from winnow.errors import DifferenceTooLarge


def diff(before: str, after: str, fail_on: list[str], json: list[Path] | None) -> None:
    """Compare two runs; raises DifferenceTooLarge if a limit is violated, once everything is written."""
    limits = [parse_limit(text) for text in fail_on]
    with json_results(json) as (console, write):
        difference = compare_runs(before, after)
        page = write_difference(difference)
        console.print(Markdown(render_difference(difference)))
        console.print(f"page: {page}", markup=False, soft_wrap=True)
        write(difference.model_dump(mode="json"))
    if said := violations(difference, limits):
        raise DifferenceTooLarge("; ".join(said))

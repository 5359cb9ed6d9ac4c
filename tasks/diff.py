"""What differs between a run and the one before it, as files of the later run and as an artifact."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.diff.difference import Difference, compare_runs
from winnow.diff.render import render_difference
from winnow.diff.write import write_difference
from winnow.reports.artifacts import Artifacts


@task(task_run_name="diff", cache_policy=NO_CACHE, **RETRY)
def diff_runs(before: Path, after: Path, artifacts: Artifacts) -> Difference:
    """Write what differs between two finished runs into the later one, and show it."""
    difference = compare_runs(before, after)
    write_difference(difference)
    artifacts.markdown(
        lambda: render_difference(difference), key="diff", description="What differs from the run before"
    )
    return difference

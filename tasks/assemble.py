"""Assemble the manifest of segments, the list of all other parts, and the counts."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.retry import RETRY
from winnow.segmenting.finish import finish
from winnow.segmenting.record import SegmentReport


@task(task_run_name="assemble", cache_policy=NO_CACHE, **RETRY)
def assemble_segments(
    output: Path, cut: list[Path], placed: list[Path], loaded: list[Path], ctm: bool, textgrids: bool
) -> SegmentReport:
    return finish(output, cut, placed, loaded, ctm, textgrids)

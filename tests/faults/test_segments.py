"""Segmentations that are killed at any moment, and continued to the same output."""

import os
import random
import signal
import sys
from pathlib import Path

import pytest

from flows.orchestrator import InProcess
from flows.segment import run_segmentation
from tests.stand_in_vad import loud_is_speech  # noqa: F401, a fixture
from tests.test_segment import chain, corpus, segment  # noqa: F401, two of them fixtures
from winnow.parameters.curation import Curation
from winnow.parameters.segment import Segment
from winnow.runs.storage import COMMIT_STEPS
from winnow.segmenting.verify import verify_segmentation

pytestmark = pytest.mark.unmeasured

KILLS = int(os.environ.get("WINNOW_KILLS", "40")) // 10
FILES = ("manifest.jsonl", "left_out.jsonl", "words.ctm", "textgrids/00001-a.TextGrid")


def segment_and_die(settings: Segment, step: str, nth: int) -> int:
    """Segment in a process that is killed the n-th time that a commit gets to the step; return how it ended."""
    if process := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    left = nth

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event == "winnow.commit" and arguments[0] == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(hook)
        run_segmentation(settings, InProcess())
    finally:
        os._exit(0)


def test_killed_segmentation_is_continued_to_the_same_bytes(chain: Curation, tmp_path: Path):  # noqa: F811
    options = {"model": chain.small, "ctm": True, "textgrids": True}
    segment(Path(chain.manifest), tmp_path / "whole", **options)
    whole = [(tmp_path / "whole" / name).read_bytes() for name in FILES]
    rng, killed = random.Random(1), 0
    for number in range(KILLS):
        settings = Segment(manifest=chain.manifest, output=tmp_path / str(number), **options)
        while segment_and_die(settings, rng.choice(COMMIT_STEPS), rng.randint(1, 6)) == -signal.SIGKILL:
            killed += 1
        assert [(tmp_path / str(number) / name).read_bytes() for name in FILES] == whole
        assert [check.sentence for check in verify_segmentation(tmp_path / str(number)) if not check.holds] == []
    assert killed >= KILLS

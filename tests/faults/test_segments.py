"""Segmentations that are killed at any moment, and continued to the same output."""

import os
import random
import signal
from functools import partial
from pathlib import Path

import pytest

from flows.orchestrator import InProcess
from flows.segment import run_segmentation
from tests.faults.test_kills import work_and_die
from tests.stand_in_vad import loud_is_speech  # noqa: F401, a fixture
from tests.test_segment import chain, corpus, segment  # noqa: F401, two of them fixtures
from winnow.parameters.curation import Curation
from winnow.parameters.segment import Segment
from winnow.runs.storage import COMMIT_STEPS
from winnow.segmenting.verify import verify_segmentation

pytestmark = pytest.mark.unmeasured

KILLS = int(os.environ.get("WINNOW_KILLS", "40")) // 10
FILES = ("manifest.jsonl", "left_out.jsonl", "words.ctm", "textgrids/00001-a.TextGrid")


def test_killed_segmentation_is_continued_to_the_same_bytes(chain: Curation, tmp_path: Path):  # noqa: F811
    options = {"model": chain.small, "ctm": True, "textgrids": True}
    segment(Path(chain.manifest), tmp_path / "whole", **options)
    whole = [(tmp_path / "whole" / name).read_bytes() for name in FILES]
    rng, killed = random.Random(1), 0
    for number in range(KILLS):
        settings = Segment(manifest=chain.manifest, output=tmp_path / str(number), **options)
        work = partial(run_segmentation, settings, InProcess())
        while (ended := work_and_die(work, rng.choice(COMMIT_STEPS), rng.randint(1, 6))) == -signal.SIGKILL:
            killed += 1
        assert ended == 0
        assert [(tmp_path / str(number) / name).read_bytes() for name in FILES] == whole
        assert [check.sentence for check in verify_segmentation(tmp_path / str(number)) if not check.holds] == []
    assert killed >= KILLS

"""Segmentations that are killed at any moment, and continued to the same output."""

import os
import random
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from flows.curate import run_curation
from flows.orchestrator import InProcess
from flows.segment import run_segmentation
from tests.conftest import DEMO
from tests.faults.test_kills import work_and_die
from tests.stand_in_vad import loud_is_speech  # noqa: F401, a fixture
from tests.test_segment import chain, corpus, segment  # noqa: F401, two of them fixtures
from winnow.parameters.curation import Curation
from winnow.parameters.segment import Segment
from winnow.runs.storage import COMMIT_STEPS
from winnow.runs.verify import verify_run
from winnow.segmenting.verify import verify_segmentation

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


@pytest.mark.skipif("WINNOW_KILLS" not in os.environ, reason="half a minute of CPU for each kill: make soak")
def test_killed_curation_of_recordings_is_continued_by_real_checkpoints_to_the_same_bytes(tmp_path: Path):
    pytest.importorskip("silero_vad")
    if not shutil.which("espeak-ng"):
        pytest.skip("needs espeak-ng")
    from benchmarks.long_recordings import make_corpus

    make_corpus(tmp_path, 1, 1.0, seed=5, music_every=16)
    models = {role: str(DEMO / f"{role}.nemo") for role in ("small", "large")}

    def run(name: str, step: str = "linked", nth: int = 10**9) -> int:
        folders = {"segment": str(tmp_path / name / "segments"), "output": tmp_path / name / "run"}
        settings = Curation(manifest=tmp_path / "corpus.jsonl", **folders, **models)
        return work_and_die(partial(run_curation, settings, InProcess()), step, nth)

    def written(name: str) -> list[bytes]:
        files = "segments/manifest.jsonl", "segments/left_out.jsonl", "run/manifest.jsonl"
        return [(tmp_path / name / file).read_bytes().replace(name.encode(), b"whole") for file in files]

    assert run("whole") == 0
    rng, killed = random.Random(1), 0
    for number in range(min(KILLS, 10)):
        name = f"killed{number}"
        while (ended := run(name, rng.choice(COMMIT_STEPS), rng.randint(1, 16))) == -signal.SIGKILL:
            killed += 1
        assert ended == 0
        assert written(name) == written("whole")
        checks = [*verify_segmentation(tmp_path / name / "segments"), *verify_run(tmp_path / name / "run")]
        assert [check.sentence for check in checks if not check.holds] == []
    assert killed

"""Recordings by espeak-ng with planted faults: what a real model places, and what is found."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("silero_vad")
if not shutil.which("espeak-ng"):
    pytest.skip("needs espeak-ng", allow_module_level=True)

from benchmarks.long_recordings import make_corpus, measure
from flows.orchestrator import InProcess
from flows.segment import run_segmentation
from winnow.parameters.segment import Segment
from winnow.segmenting.verify import verify_segmentation

ROOT = Path(__file__).parent.parent


def test_words_are_in_the_right_segment_and_planted_faults_are_found(tmp_path):
    truth = make_corpus(tmp_path, 1, 1.0, seed=5, music_every=16)
    output = tmp_path / "segments"
    run_segmentation(
        Segment(manifest=tmp_path / "corpus.jsonl", output=output, model=str(ROOT / "demo/large.nemo")), InProcess()
    )
    figures = measure(output, truth)
    assert figures["share in the right segment"] >= 0.97
    assert figures["words in a segment where nobody says them"] == 0
    assert figures["boundaries, median error in s"] <= 0.1
    assert (figures["of them not found whole"], figures["of these not found"]) == (0, 0)
    assert figures["sentences that nobody says"] + figures["sentences that are not written"] >= 2
    assert [check.sentence for check in verify_segmentation(output) if not check.holds] == []

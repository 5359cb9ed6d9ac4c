"""A stand-in for `onnxruntime` and `silero-vad`: what is loud is speech."""

import sys
from pathlib import Path

import pytest

from winnow.audio import voice_activity

ONNXRUNTIME = """
import numpy as np


class SessionOptions:
    pass


class InferenceSession:
    def __init__(self, path, options, providers):
        pass

    def run(self, names, inputs):
        loud = np.abs(inputs["input"][:, 64:]).mean(axis=1) > 0.01
        return np.where(loud, 0.9, 0.1).astype(np.float32), inputs["h"], inputs["c"]
"""


@pytest.fixture
def loud_is_speech(tmp_path_factory, monkeypatch):
    """Have voice activity follow from loudness, in this process."""
    folder = tmp_path_factory.mktemp("stand-in")
    (folder / "onnxruntime.py").write_text(ONNXRUNTIME)
    weights = folder / "silero_vad" / voice_activity.WEIGHTS
    weights.parent.mkdir(parents=True)
    (folder / "silero_vad/__init__.py").touch()
    weights.touch()
    (folder / "onnxruntime-1.0.dist-info").mkdir()
    (folder / "onnxruntime-1.0.dist-info/METADATA").write_text("Name: onnxruntime\nVersion: 1.0\n")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("onnxruntime", "silero_vad")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(folder)
    voice_activity.load_session.cache_clear()
    yield Path(folder)
    voice_activity.load_session.cache_clear()
    for name in ("onnxruntime", "silero_vad"):
        sys.modules.pop(name, None)

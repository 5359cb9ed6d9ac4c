"""What a model or its device may do wrong, among utterances that come out as if nothing were (FAULTS, rows 20 to 23).

Each stand-in is the demo's small checkpoint with a fault before it; what it reads, it reads itself.
"""

import weakref

import numpy as np
import pytest
import torch

from tests.conftest import DEMO, trusted
from tests.test_network import requests
from winnow.engines.batching import BatchLimits
from winnow.engines.inference import out_of_memory, transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.engines.nemo.model import NemoModel
from winnow.errors import ModelBroken
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis

ASKED = requests(12)
CULPRIT = ASKED[5].path


class Faulty:
    """The demo's small checkpoint behind a fault."""

    batches_per_call = 2

    def __init__(self, model, **state):
        self.model, self.batch_limits, self.state = model, BatchLimits(15), state
        self.sample_rate, self.threads, self.runtime, self.peak_device_bytes = (
            model.sample_rate,
            model.threads,
            model.runtime,
            model.peak_device_bytes,
        )

    def transcribe(self, batches):
        return self.model.transcribe(batches)


@pytest.fixture(scope="module")
def small(demo_small):
    return get_model(demo_small, EngineOptions())


@pytest.fixture(scope="module")
def alone(small):
    """What every utterance says by itself."""
    return [transcribe_requests(small, [one], EngineOptions())[0][0].hypothesis.text for one in ASKED]


def paths(batches):
    return [request.path for batch in batches for request, _ in batch]


def assert_only_the_culprit(answers, alone, reason, detail):
    expected = [None if one.path == CULPRIT else text for one, text in zip(ASKED, alone, strict=True)]
    assert [one.hypothesis and one.hypothesis.text for one in answers] == expected
    (bad,) = [one for one in answers if one.reason]
    assert (bad.reason, bad.detail) == (reason, detail)
    assert bad.stats.seconds == pytest.approx(ASKED[5].duration, abs=0.01)


class TooMany(Faulty):
    """Says something more wherever the culprit is."""

    def transcribe(self, batches):
        return super().transcribe(batches) + [Hypothesis("and more")] * (CULPRIT in paths(batches))


class TooFew(Faulty):
    """Says nothing of the culprit."""

    def transcribe(self, batches):
        found = zip(paths(batches), super().transcribe(batches), strict=True)
        return [reading for path, reading in found if path != CULPRIT]


class Raises(Faulty):
    def transcribe(self, batches):
        if CULPRIT in paths(batches):
            raise self.state["error"]
        return super().transcribe(batches)


class NotFinite(Faulty):
    """Has no finite scores for the culprit."""

    def transcribe(self, batches):
        found = zip(paths(batches), super().transcribe(batches), strict=True)
        return [Hypothesis("", finite=False) if path == CULPRIT else reading for path, reading in found]


@pytest.mark.parametrize(
    ("fault", "state", "reason", "detail"),
    [
        (TooMany, {}, "MODEL_MISALIGNED", "2 hypotheses for 1 utterances"),
        (TooFew, {}, "MODEL_MISALIGNED", "0 hypotheses for 1 utterances"),
        (Raises, {"error": ValueError("wrong shape")}, "MODEL_ERROR", "wrong shape"),
        (Raises, {"error": AssertionError()}, "MODEL_ERROR", "AssertionError"),
        (Raises, {"error": torch.OutOfMemoryError("CUDA out of memory")}, "OOM_SINGLE", "CUDA out of memory"),
        (Raises, {"error": MemoryError()}, "OOM_SINGLE", "MemoryError"),
        (NotFinite, {}, "NONFINITE_SCORE", None),
    ],
)
def test_one_utterance_costs_no_neighbour(small, alone, fault, state, reason, detail):
    answers, spent = transcribe_requests(fault(small, **state), ASKED, EngineOptions())
    assert_only_the_culprit(answers, alone, reason, detail)
    assert spent["utterances"] == len(ASKED) - 1


class Narrow(Faulty):
    """A device with memory for so many padded seconds."""

    def transcribe(self, batches):
        (batch,) = batches
        padded = len(batch) * max(clip.seconds for _, clip in batch)
        self.state["tried"].append(padded)
        if padded > self.state["room"] and len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().transcribe(batches)


def test_a_batch_too_large_for_the_device_is_halved_and_the_size_remembered(small, alone):
    narrow = Narrow(small, room=9.0, tried=[])
    narrow.batches_per_call, narrow.threads, narrow.batch_limits = 1, 1, BatchLimits(40)
    first, _ = transcribe_requests(narrow, ASKED, EngineOptions())
    failed = sum(padded > 9.0 for padded in narrow.state["tried"])
    narrow.state["tried"].clear()
    second, _ = transcribe_requests(narrow, ASKED, EngineOptions())
    again = sum(padded > 9.0 for padded in narrow.state["tried"])
    for answers in (first, second):
        assert [one.hypothesis.text for one in answers] == alone
    assert 0 == again < failed


@pytest.mark.parametrize(("name", "part"), [("small", "encoder"), ("small", "decoder"), ("large", "encoder")])
def test_a_model_without_finite_scores_aborts_the_run(name, part):
    model = NemoModel(trusted(DEMO / f"{name}.nemo"), EngineOptions())
    with torch.no_grad():
        next(getattr(model.model, part).parameters()).fill_(float("nan"))
    with pytest.raises(ModelBroken, match="the model's scores are not finite"):
        transcribe_requests(model, ASKED, EngineOptions())


def test_a_lost_device_is_not_blamed_on_utterances(small):
    lost = Raises(small, error=RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="CUDA error"):
        transcribe_requests(lost, ASKED, EngineOptions())


def test_an_error_keeps_nothing_of_the_device(small):
    """What a failed call had allocated must be free for the next one, while the shard goes on."""
    kept = []

    class Wasteful(Faulty):
        def transcribe(self, batches):
            if CULPRIT in paths(batches):
                buffer = np.zeros(10)
                kept.append(weakref.ref(buffer))
                raise torch.OutOfMemoryError("CUDA out of memory")
            assert [one for one in kept if one() is not None] == []
            return super().transcribe(batches)

    answers, _ = transcribe_requests(Wasteful(small), ASKED, EngineOptions())
    assert [one.reason for one in answers if one.reason] == ["OOM_SINGLE"]
    assert kept


def test_memory_that_is_full_is_no_lost_device():
    said = ("CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
    assert all(out_of_memory(RuntimeError(words)) for words in said)
    assert not out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))

"""Faults of a model or its device, which cost no other utterance (docs/reliability.md, rows 20 to 24).

Each stand-in is the demo's small checkpoint behind a fault; all other hypotheses are the checkpoint's own.
"""

import weakref

import numpy as np
import pytest
import torch

from tests.conftest import DEMO, resolve_unpinned
from tests.test_nemo import demo_requests
from winnow.engines.batching import BatchLimits
from winnow.engines.failed_calls import out_of_memory
from winnow.engines.inference import transcribe_requests
from winnow.engines.model_cache import get_model
from winnow.engines.nemo.model import NemoModel
from winnow.errors import ModelBroken
from winnow.parameters.engine import EngineOptions
from winnow.text.hypothesis import Hypothesis

REQUESTS = demo_requests(12)
CULPRIT = REQUESTS[5].path


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
def hypotheses_alone(small):
    """The hypothesis of each utterance transcribed alone."""
    return [transcribe_requests(small, [request], EngineOptions())[0][0].hypothesis.text for request in REQUESTS]


def request_paths(batches):
    return [request.path for batch in batches for request, _ in batch]


def assert_only_the_culprit(results, hypotheses_alone, reason, detail):
    expected = [
        None if request.path == CULPRIT else text for request, text in zip(REQUESTS, hypotheses_alone, strict=True)
    ]
    assert [result.hypothesis and result.hypothesis.text for result in results] == expected
    (failed,) = [result for result in results if result.reason]
    assert (failed.reason, failed.detail) == (reason, detail)
    assert failed.stats.seconds == pytest.approx(REQUESTS[5].duration, abs=0.01)


class TooMany(Faulty):
    """Returns one hypothesis too many for a batch with the culprit."""

    def transcribe(self, batches):
        return super().transcribe(batches) + [Hypothesis("and more")] * (CULPRIT in request_paths(batches))


class TooFew(Faulty):
    """Returns no hypothesis for the culprit."""

    def transcribe(self, batches):
        pairs = zip(request_paths(batches), super().transcribe(batches), strict=True)
        return [hypothesis for path, hypothesis in pairs if path != CULPRIT]


class Raises(Faulty):
    def transcribe(self, batches):
        if CULPRIT in request_paths(batches):
            raise self.state["error"]
        return super().transcribe(batches)


class NotFinite(Faulty):
    """Returns no finite scores for the culprit."""

    def transcribe(self, batches):
        pairs = zip(request_paths(batches), super().transcribe(batches), strict=True)
        return [Hypothesis("", finite=False) if path == CULPRIT else hypothesis for path, hypothesis in pairs]


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
def test_faulty_utterance_costs_no_neighbour(small, hypotheses_alone, fault, state, reason, detail):
    results, usage = transcribe_requests(fault(small, **state), REQUESTS, EngineOptions())
    assert_only_the_culprit(results, hypotheses_alone, reason, detail)
    assert usage["utterances"] == len(REQUESTS) - 1


class Narrow(Faulty):
    """A device with memory for `room` padded seconds."""

    def transcribe(self, batches):
        (batch,) = batches
        padded = len(batch) * max(clip.seconds for _, clip in batch)
        self.state["tried"].append(padded)
        if padded > self.state["room"] and len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().transcribe(batches)


def test_batch_that_exceeds_memory_is_halved_and_its_size_remembered(small, hypotheses_alone):
    narrow = Narrow(small, room=9.0, tried=[])
    narrow.batches_per_call, narrow.threads, narrow.batch_limits = 1, 1, BatchLimits(40)
    first, _ = transcribe_requests(narrow, REQUESTS, EngineOptions())
    failed = sum(padded > 9.0 for padded in narrow.state["tried"])
    narrow.state["tried"].clear()
    second, _ = transcribe_requests(narrow, REQUESTS, EngineOptions())
    again = sum(padded > 9.0 for padded in narrow.state["tried"])
    for results in (first, second):
        assert [result.hypothesis.text for result in results] == hypotheses_alone
    assert 0 == again < failed


@pytest.mark.parametrize(("name", "part"), [("small", "encoder"), ("small", "decoder"), ("large", "encoder")])
def test_model_without_finite_scores_ends_the_run(name, part):
    model = NemoModel(resolve_unpinned(DEMO / f"{name}.nemo"), EngineOptions())
    with torch.no_grad():
        next(getattr(model.model, part).parameters()).fill_(float("nan"))
    with pytest.raises(ModelBroken, match="the model's scores are not finite"):
        transcribe_requests(model, REQUESTS, EngineOptions())


def test_lost_device_is_not_blamed_on_utterances(small):
    lost = Raises(small, error=RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="CUDA error"):
        transcribe_requests(lost, REQUESTS, EngineOptions())


def test_error_keeps_no_device_memory(small):
    """Memory that a failed call allocated is free for the next one."""
    kept = []

    class Wasteful(Faulty):
        def transcribe(self, batches):
            if CULPRIT in request_paths(batches):
                buffer = np.zeros(10)
                kept.append(weakref.ref(buffer))
                raise torch.OutOfMemoryError("CUDA out of memory")
            assert [buffer for buffer in kept if buffer() is not None] == []
            return super().transcribe(batches)

    results, _ = transcribe_requests(Wasteful(small), REQUESTS, EngineOptions())
    assert [result.reason for result in results if result.reason] == ["OOM_SINGLE"]
    assert kept


def test_full_memory_is_not_a_lost_device():
    messages = ("CUDA error: out of memory", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
    assert all(out_of_memory(RuntimeError(words)) for words in messages)
    assert not out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))

"""Inference: batches, what becomes of their results, the model cache, and transcripts in the place of a model."""

import gc
import operator
import re
import statistics

import numpy as np
import psutil
import pytest
import torch

from tests.conftest import shard_table
from tests.test_nemo import demo_requests
from winnow.audio.decode import Clip
from winnow.audio.measurements import AudioStats
from winnow.engines.batching import BatchLimits
from winnow.engines.engine import Request
from winnow.engines.failed_calls import transcribe_batches
from winnow.engines.inference import expected_seconds, fill_batches, plan_calls, transcribe_requests
from winnow.engines.model_cache import PROCESS_CACHE, ModelCache, get_model
from winnow.errors import CheckpointError, ModelBroken
from winnow.models.passes import Pass
from winnow.models.resolve import resolve
from winnow.models.transcription import transcribe_files
from winnow.parameters.engine import EngineOptions
from winnow.runs import ledger
from winnow.runs.shard_files import store_table
from winnow.schema import BEFORE_FILTER
from winnow.text.hypothesis import Hypothesis


class Model:
    """A model whose hypothesis is the path of the file."""

    sample_rate = 16_000
    threads = 1
    batches_per_call = 1
    runtime = {}  # noqa: RUF012

    def __init__(self):
        self.batch_limits, self.calls = BatchLimits(40), 0

    def transcribe(self, batches):
        self.calls += 1
        return [Hypothesis(request.path) for batch in batches for request, _ in batch]

    def peak_device_bytes(self):
        return None


class FailsOnTwoSeconds(Model):
    """Fails on a batch with a clip of exactly two seconds."""

    def transcribe(self, batches):
        if any(clip.seconds == 2.0 for batch in batches for _, clip in batch):
            raise RuntimeError("no")
        return super().transcribe(batches)


def clip(seconds: float) -> Clip:
    return Clip(np.zeros(1, np.float32), AudioStats(measured_duration=seconds))


def test_failing_batch_is_halved_until_only_the_culprit_fails():
    batch = [(Request(f"{seconds}", None, None), clip(seconds)) for seconds in (1.0, 3.0, 2.0, 4.0, 5.0)]
    first, second, failed, *rest = transcribe_batches([batch[:3], batch[3:]], FailsOnTwoSeconds())
    assert [hypothesis.text for hypothesis in (first, second, *rest)] == ["1.0", "3.0", "4.0", "5.0"]
    assert repr(failed) == "RuntimeError('no')"


class OneTooFew(Model):
    """Returns a hypothesis too few, as NeMo's `transcribe()` does for audio that it cannot slice."""

    def transcribe(self, batches):
        return [hypothesis for hypothesis in super().transcribe(batches) if hypothesis.text != "b"]


def test_misaligned_hypotheses_are_never_given_to_other_utterances():
    batch = [(Request(name, None, None), clip(1.0)) for name in "abcd"]
    outcomes = transcribe_batches([batch], OneTooFew())
    assert [outcome.text for outcome in (outcomes[0], *outcomes[2:])] == ["a", "c", "d"]
    assert str(outcomes[1]) == "0 hypotheses for 1 utterances"


class Broken(Model):
    """A model, or a device, that fails on everything."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def transcribe(self, batches):
        self.calls += 1
        raise self.error


@pytest.mark.parametrize(
    ("error", "calls"),
    [(ValueError("wrong shape"), 7), (RuntimeError("CUDA error: device-side assert triggered"), 1)],
)
def test_model_that_fails_on_everything_ends_the_run(write_tone, error, calls):
    requested = [Request(str(write_tone(name)), None, None) for name in ("a.wav", "b.wav", "c.wav", "d.wav")]
    model = Broken(error)
    with pytest.raises((ModelBroken, RuntimeError), match=re.escape(str(error))):
        transcribe_requests(model, requested, EngineOptions())
    assert model.calls == calls


def test_two_failures_are_blamed_on_the_utterances(write_tone):
    requested = [Request(str(write_tone(name)), None, None) for name in ("a.wav", "b.wav")]
    results, _ = transcribe_requests(Broken(ValueError("wrong shape")), requested, EngineOptions())
    assert [(result.reason, result.detail) for result in results] == [("MODEL_ERROR", "wrong shape")] * 2


def test_batches_hold_clips_of_similar_length_within_the_limits():
    lengths = [(5, 30.0), (1, 9.0), (3, 5.0), (2, 2.0), (0, 1.0), (4, 1.0)]
    assert list(fill_batches(lengths, BatchLimits(10))) == [[5], [1], [3, 2], [0, 4]]
    assert list(fill_batches(lengths, BatchLimits(1_000, utterances=2))) == [[5, 1], [3, 2], [0, 4]]


def test_batch_that_did_not_fit_limits_later_batches_of_clips_of_that_length():
    limits = BatchLimits(100)
    assert limits.fits(10, 10.0)
    limits.learn(10, 10.0)
    assert [limits.fits(count, 10.0) for count in (1, 5, 6)] == [True, True, False]
    assert not limits.fits(2, 30.0)  # longer ones as well
    assert limits.fits(1, 60.0)  # but never less than one
    assert limits.fits(25, 4.0)  # much shorter ones may still


@pytest.mark.parametrize(("window", "most"), [(500, 0.05), (4_000, 0.02)])
def test_padding_stays_small_on_the_lengths_of_librispeech(window, most):
    """Lengths as LibriSpeech's training utterances have them: most between 11 and 16 seconds, a tail of short ones."""
    lengths = np.clip(16.5 - np.random.default_rng(0).gamma(1.7, 2.4, window), 1.5, 17)
    requested = [Request("", None, float(seconds)) for seconds in lengths]
    groups = list(plan_calls([expected_seconds(request) for request in requested], BatchLimits(40), 1))
    padded = sum(len(group) * max(lengths[i] for i in group) for group in groups)
    assert sorted(i for group in groups for i in group) == list(range(window))
    assert 1 - lengths.sum() / padded < most


def test_lanes_share_tables_of_positions_that_no_utterance_replaces(random_model, demo_small):
    for checkpoint, table in ((random_model("quartznet"), "seq_range"), (demo_small, "pos_enc.pe")):
        model = get_model(checkpoint, EngineOptions())
        find = operator.attrgetter(table)
        before = find(model.model.encoder)
        transcribe_requests(model, demo_requests(4), EngineOptions())
        assert find(model.model.encoder) is before


def test_memory_stays_constant_over_shards(random_model):
    """Take the least of the last shards, since the allocator's pools grow and shrink; five have 50 MB of samples."""
    model, requested = get_model(random_model("quartznet"), EngineOptions()), demo_requests(40)
    transcribe_requests(model, requested, EngineOptions())
    gc.freeze()  # what exists by now is not counted
    used, tensors = [], []
    for _ in range(15):
        transcribe_requests(model, requested, EngineOptions())
        gc.collect()
        used.append(psutil.Process().memory_info().rss)
        tensors.append(sum(thing.nbytes for thing in gc.get_objects() if isinstance(thing, torch.Tensor)))
    gc.unfreeze()
    assert min(used[10:]) < statistics.median(used[5:10]) + 25 * 2**20
    assert not any(tensors)


def test_transcripts_replace_a_model_that_was_run_elsewhere(write_tone, hears):
    path = write_tone("a.wav")
    model = get_model(resolve(hears(small={"a.wav": "good morning"})["small"]), EngineOptions())
    good, bad = transcribe_requests(
        model, [Request(str(path), None, None), Request(str(write_tone("b.wav")), None, None)], EngineOptions()
    )[0]
    assert (good.hypothesis, good.reason) == (Hypothesis("good morning"), None)
    assert (bad.hypothesis, bad.reason) == (None, "TRANSCRIPT_MISSING")
    assert bad.detail.endswith("small.jsonl: no transcript of " + str(path.with_name("b.wav")) + " at 0.0 s")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('{"audio_filepath": "a.wav"}', "small.jsonl:1: invalid transcript: no pred_text; expected"),
        ('{"audio_filepath": "a.wav", "pred_text": {}}', "small.jsonl:1: invalid transcript: pred_text an object"),
        ('\n{"audio_filepath": "a.wav", "pred_text": "a"}\n{"audio_filepath": "a.wav", "pred_text": "b"}',
         "small.jsonl:3: invalid transcript: another transcript of a.wav at 0.0 s than line 2"),
    ],
)  # fmt: skip
def test_invalid_transcripts_are_refused_with_their_line(tmp_path, lines, complaint):
    (tmp_path / "small.jsonl").write_text(lines)
    with pytest.raises(CheckpointError, match=complaint):
        get_model(resolve(str(tmp_path / "small.jsonl")), EngineOptions())


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("missing.nemo", None, "no such file"),
        ("page.nemo", "<html></html>", "not a NeMo checkpoint"),
        ("parakeet", None, "parakeet: not a .nemo file, nor a hub name .*, nor in NeMo's list for NGC"),
        ("parakeet-tdt_ctc-110M", None, "nor in NeMo's list for NGC; the nearest there is parakeet-tdt_ctc-110m"),
        ("parakeet-tdt_ctc-110m", None, "cannot be downloaded from NGC"),
        ("no model", None, "no model: not the name of a model: expected a .jsonl file of transcripts, or a .nemo file"),
        ("nvidia/no-such-model", None, "cannot be downloaded from the hub"),
    ],
)
def test_unavailable_checkpoint_is_refused_with_the_cause(tmp_path, name, content, complaint):
    if content:
        (tmp_path / name).write_text(content)
        name = str(tmp_path / name)
    with pytest.raises(CheckpointError, match=complaint):
        resolve(name, trust_unpinned=True)


def test_cache_keeps_as_many_models_as_a_run_has(hears):
    cache = ModelCache(size=2)
    cache.reserve(3)
    checkpoints = [resolve(path) for path in hears(**{name: {f"{name}.wav": name} for name in "abc"}).values()]
    first = [cache.get(checkpoint, EngineOptions()) for checkpoint in checkpoints]
    assert [cache.get(checkpoint, EngineOptions()) for checkpoint in checkpoints] == first


def test_cache_keeps_all_models_of_a_cascade(tmp_path, hears, monkeypatch):
    monkeypatch.setattr(PROCESS_CACHE, "size", 2)
    third_large = Pass(role="large3", checkpoint=resolve(hears(a={"a.wav": "a"})["a"]), options=EngineOptions())
    rows = store_table(
        tmp_path / ledger.STAGES / "gate-small", "00000", shard_table(BEFORE_FILTER, reason=["AUDIO_MISSING"])
    )
    assert transcribe_files([rows], third_large, "inline")["rows"] == 1
    assert PROCESS_CACHE.size == 4


def test_models_are_evicted_until_a_new_model_fits(hears):
    cache, checkpoint = ModelCache(), resolve(hears(small={"a.wav": "good morning"})["small"])
    model, errors = cache.get(checkpoint, EngineOptions()), [RuntimeError("CUDA out of memory")]

    def load():
        if errors:
            raise errors.pop()
        return model

    assert cache.load_with_eviction(load) is model
    errors = [RuntimeError("CUDA out of memory")] * 100
    with pytest.raises(RuntimeError, match="out of memory"):
        cache.load_with_eviction(load)
    assert cache.get(checkpoint, EngineOptions()) is not model
    with pytest.raises(ValueError, match="broken"):
        cache.load_with_eviction(lambda: int("broken"))

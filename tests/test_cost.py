"""The cost of a run: in its report, and estimated from its first shards."""

import re
from pathlib import Path

import pytest

from flows.cost_estimate import CostEstimate
from tests.in_process import curate
from winnow.benchmarking.comparison import accuracy_and_speed
from winnow.benchmarking.figures import ModelFigures, with_cost
from winnow.engines.engine import Checkpoint
from winnow.models.passes import Pass
from winnow.parameters.curation import Curation
from winnow.parameters.engine import EngineOptions
from winnow.parameters.ensemble import Ensemble
from winnow.reports.cost import cost_of
from winnow.reports.throughput import Throughput, throughput_of


def throughput(seconds: float, on_devices: bool = True, models: list[Throughput] | None = None) -> Throughput:
    rates = dict.fromkeys(("rtfx", "utterances_per_second", "padding", "device", "precision", "peak_device_bytes"))
    counts = {"utterances": 1, "hours": 1.0, "seconds": seconds, "model_seconds": seconds, "pinned": True}
    return Throughput(checkpoint="a.nemo", **counts, **rates, on_devices=on_devices, models=models or [])


LOCAL = {"manifest": "a.jsonl", "output": "out", "small": "s.nemo", "large": "l.nemo", "devices": "local"}
QUARTER = LOCAL | {"small_placement": {"share": 0.25}}


@pytest.mark.parametrize(
    ("settings", "speed", "device_hours"),
    [
        (LOCAL, {"small": throughput(3600), "large": throughput(7200)}, 3.0),
        (QUARTER, {"small": throughput(3600), "large": throughput(7200)}, 2.25),  # four shards shared a device
        (LOCAL, {"small": throughput(3600), "large": throughput(7200, on_devices=False)}, 1.0),  # an endpoint
        (LOCAL, {"small": throughput(3600, models=[throughput(1800), throughput(1800, on_devices=False)])}, 0.5),
    ],
)
def test_device_hours_are_the_seconds_of_shards_times_their_share_of_a_device(settings, speed, device_hours):
    cost = cost_of(speed, Curation(**settings, price=2.0), hours=100.0)
    assert cost
    assert (cost.device_hours, cost.amount) == (device_hours, 2 * device_hours)
    assert cost.per_1000_hours == pytest.approx(20 * device_hours)


def test_cost_is_unknown_without_a_price_and_without_audio():
    speed = {"model1": throughput(3600)}
    settings = Ensemble(manifest="a.jsonl", output="out", models=["a.nemo", "b.nemo"])
    assert cost_of(speed, settings, 1.0) is None
    priced = settings.model_copy(update={"price": 2.0})
    cost = cost_of(speed, priced, 0.0)
    assert cost
    assert cost.per_1000_hours is None


def test_each_model_has_an_estimate_after_its_first_shard(manifest, hears, tmp_path, log_lines):
    corpus = manifest(*({"audio_filepath": f"{n}.wav", "duration": 1.0, "text": "good morning"} for n in range(4)))
    models = hears(
        small={f"{n}.wav": "what was that" for n in range(4)}, large={f"{n}.wav": "good morning" for n in range(4)}
    )
    gate = {"by": "wer", "accept": 0.1, "reject": 2.0}
    report = curate(manifest=corpus, output=tmp_path / "out", price=1e6, **models, gate=gate, shard_hours=2 / 3600)
    small, large = (line for line in log_lines if "estimated from its first" in line)
    assert re.fullmatch(
        r"INFO small model: ([\d,.]+) for 1,000 hours of audio, ([\d.,]+) for this input, estimated from .* h", small
    )
    assert re.fullmatch(r"INFO large model: ([\d,.]+) for 1,000 hours of audio, estimated from .* h", large)
    per_1000_hours, total = (float(text.replace(",", "")) for text in re.findall(r"[\d,]+\.\d+", small)[:2])
    assert total == pytest.approx(per_1000_hours * 4 / 3600 / 1000, rel=0.01)
    assert report.cost


def test_nothing_is_estimated_without_a_price(tmp_path, log_lines):
    settings = Ensemble(manifest="a.jsonl", output="out", models=["a.nemo", "b.nemo"])
    model_pass = Pass(role="model1", checkpoint=LOCAL_MODEL, options=EngineOptions())
    CostEstimate(tmp_path / "no run", settings, model_pass, 1.0).add(None)
    assert not log_lines


ENDPOINT_MODEL, LOCAL_MODEL = (
    Checkpoint(name=name, path=Path(name), family="any", sha256="0")
    for name in ("openai:whisper-1@https://asr.example.org/v1", "a.nemo")
)


@pytest.mark.parametrize(
    ("checkpoints", "on_devices"),
    [([ENDPOINT_MODEL], False), ([LOCAL_MODEL], True), ([ENDPOINT_MODEL, LOCAL_MODEL], True)],
)
def test_model_behind_an_endpoint_uses_no_device(checkpoints, on_devices):
    assert throughput_of(checkpoints, []).on_devices is on_devices


def test_benchmark_says_what_1000_hours_cost():
    measured = ModelFigures(model="a.nemo", sha256="0", batch=None, rtfx=500.0)
    assert with_cost(measured, 2.5).per_1000_hours == 5.0
    assert with_cost(measured, None) == measured
    assert with_cost(measured.model_copy(update={"rtfx": None}), 2.5).per_1000_hours is None
    assert "Cost of 1,000 hours" in accuracy_and_speed([with_cost(measured, 2.5)])
    assert "Cost of 1,000 hours" not in accuracy_and_speed([measured])

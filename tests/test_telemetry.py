"""Metrics of a run: equal to the figures of its report, and those that the dashboard shows."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
from opentelemetry import metrics

from tests.in_process import curate
from winnow.telemetry.exporters import start_exporting
from winnow.telemetry.instruments import count_attempt, count_pass

sdk = pytest.importorskip("opentelemetry.sdk.metrics")
DASHBOARD = Path(__file__).parent.parent / "deployments" / "grafana-dashboard.json"

Figures = dict[str, dict[str, float]]


class Reader:
    """Reads what this process has counted since the reader was made."""

    def __init__(self) -> None:
        self._reader = sdk.export.InMemoryMetricReader()
        metrics.set_meter_provider(sdk.MeterProvider([self._reader]))
        assert isinstance(metrics.get_meter_provider(), sdk.MeterProvider)

    def metrics(self):
        data = self._reader.get_metrics_data()
        return [metric for part in data.resource_metrics for scope in part.scope_metrics for metric in scope.metrics]

    def values(self, attribute: str) -> Figures:
        """Return the value of each metric by an attribute."""
        values: Figures = defaultdict(lambda: defaultdict(float))
        for metric in self.metrics():
            for point in metric.data.data_points:
                if attribute in point.attributes:
                    values[metric.name][point.attributes[attribute]] += point.value
        return values

    def prometheus_names(self) -> set[str]:
        """Return the names that Prometheus gives the metrics."""
        names = set()
        for metric in self.metrics():
            unit = "_seconds" if metric.unit == "s" else ""
            total = "_total" if isinstance(metric.data, sdk.export.Sum) else ""
            names.add(metric.name.replace(".", "_") + unit + total)
        return names


def test_metrics_of_a_run_equal_its_report_and_are_those_of_the_dashboard(manifest, hears, tmp_path):
    reader = Reader()
    rows = [{"audio_filepath": f"{n}.wav", "duration": 1.0, "text": "good morning dear friends"} for n in range(9)]
    small = {f"{n}.wav": "good morning dear friends" if n % 3 else "what was that" for n in range(9)}
    large = {f"{n}.wav": "good morning dear friends" if n % 2 else "who said that" for n in range(9)}
    corpus = manifest(*rows)
    corpus.write_text(corpus.read_text() + '{"audio_filepath": "gone.wav", "duration": 1.0, "text": "a"}\n')
    report = curate(manifest=corpus, output=tmp_path / "out", **hears(small=small, large=large))
    assert (report.quarantined, report.escalated_hours > 0, report.dropped > 0) == (1, True, True)

    by_role, by_decision = reader.values("role"), reader.values("decision")
    for role, speed in report.speed.items():
        assert by_role["winnow.pass.utterances"][role] == speed.utterances
        assert by_role["winnow.pass.audio"][role] == pytest.approx(3600 * speed.hours)
        assert by_role["winnow.pass.time"][role] == pytest.approx(speed.seconds)
        assert by_role["winnow.pass.remaining"][role] == 0
    counts = {"keep": report.kept, "drop": report.dropped, "quarantine": report.quarantined}
    assert by_decision["winnow.decided.utterances"] == counts
    hours = {"keep": report.kept_hours, "drop": report.dropped_hours}
    assert by_decision["winnow.decided.audio"] == pytest.approx({name: 3600 * each for name, each in hours.items()})
    reasons = {name: count.utterances for name, count in report.reasons.items()}
    assert reader.values("reason")["winnow.reason.utterances"] == reasons

    before = reader.values("source")["winnow.pass.shards"]
    count_pass("small", False, 2, {"utterances": 5, "audio_seconds": 9.0, "seconds": 3.0})
    count_attempt("small", 1)
    count_attempt("small", 3)
    assert reader.values("source")["winnow.pass.shards"] == before | {"ledger": before["ledger"] + 2}
    assert reader.values("role")["winnow.pass.utterances"] == by_role["winnow.pass.utterances"]
    assert reader.values("role")["winnow.pass.retries"] == {"small": 1}

    shown = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in shown["panels"] for target in panel["targets"]]
    assert {name for each in expressions for name in re.findall(r"winnow_\w+", each)} == reader.prometheus_names()


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({}, []),
        ({"OTEL_METRICS_EXPORTER": "none"}, []),
        ({"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_SDK_DISABLED": "true"}, []),
        (
            {"OTEL_TRACES_EXPORTER": "nowhere"},
            ["WARNING OTEL_TRACES_EXPORTER: nothing is exported: no exporter nowhere is installed"],
        ),
    ],
)
def test_exporters_are_those_of_the_variables(variables, lines, monkeypatch, log_lines):
    for name in ("OTEL_METRICS_EXPORTER", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    start_exporting.__wrapped__()
    assert [line.partition(":")[0] for line in log_lines] == [line.partition(":")[0] for line in lines]
    assert all(shown.startswith(line) for shown, line in zip(log_lines, lines, strict=True))

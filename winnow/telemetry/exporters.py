"""Where metrics and spans go: by OpenTelemetry's own variables, and only in the process of a flow.

`opentelemetry-instrument` would start an exporter in every process that a run starts, all at the same port.
"""

import logging
import os
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import metrics, trace

log = logging.getLogger("winnow")

OTLP = {"otlp": "otlp_proto_http"}
"""The name of an exporter in its variable, where its entry point has another one."""


@cache
def start_exporting() -> None:
    """Export what OTEL_METRICS_EXPORTER and OTEL_TRACES_EXPORTER name, such as prometheus or otlp, from now on.

    What cannot be exported is logged as a warning, and no reason to stop.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    for variable, start in (("OTEL_METRICS_EXPORTER", export_metrics), ("OTEL_TRACES_EXPORTER", export_spans)):
        names = [name.strip() for name in os.environ.get(variable, "").split(",")]
        names = [name for name in names if name not in ("", "none")]
        try:
            if names:
                start(names)
        except ImportError as error:
            log.warning("%s: nothing is exported (%s): install winnow[telemetry]", variable, error)
        except (OSError, ValueError) as error:
            log.warning("%s: nothing is exported: %s", variable, error)


def export_metrics(names: list[str]) -> None:
    """Send metrics to exporters of these names, unless something else has set up the SDK in this process."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader

    if isinstance(metrics.get_meter_provider(), MeterProvider):
        return
    made = [load("opentelemetry_metrics_exporter", name)() for name in names]
    readers = [part if isinstance(part, MetricReader) else PeriodicExportingMetricReader(part) for part in made]
    metrics.set_meter_provider(MeterProvider(readers, resource()))


def export_spans(names: list[str]) -> None:
    """Send Prefect's spans, with Winnow's attributes, to exporters of these names."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    provider = TracerProvider(resource=resource())
    for name in names:
        provider.add_span_processor(BatchSpanProcessor(load("opentelemetry_traces_exporter", name)()))
    trace.set_tracer_provider(provider)


def load(group: str, name: str) -> Any:
    """Return the class of an exporter; raises ValueError if no installed package has it."""
    for point in entry_points(group=group, name=OTLP.get(name, name)):
        return point.load()
    raise ValueError(f"no exporter {name} is installed: install winnow[telemetry], or the package that has it")


def resource() -> Any:
    """Return the resource of OpenTelemetry's variables; its service is winnow if they name none."""
    from opentelemetry.sdk.resources import Resource

    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {"service.name": "winnow"})

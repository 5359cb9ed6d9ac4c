"""What a run has done, as metrics and as attributes of spans. Without an SDK of OpenTelemetry nothing is kept."""

from collections.abc import Mapping
from typing import Any

from opentelemetry import metrics, trace

METER = metrics.get_meter("winnow")

PASS_UTTERANCES = METER.create_counter("winnow.pass.utterances", "", "Utterances that a pass transcribed")
PASS_AUDIO = METER.create_counter("winnow.pass.audio", "s", "Audio that a pass transcribed")
PASS_TIME = METER.create_counter("winnow.pass.time", "s", "Time that shards of a pass took, added up over devices")
PASS_SHARDS = METER.create_counter("winnow.pass.shards", "", "Shards of a pass, transcribed or in the ledger")
PASS_RETRIES = METER.create_counter("winnow.pass.retries", "", "Attempts to transcribe shards after failed ones")
PASS_REMAINING = METER.create_gauge("winnow.pass.remaining", "s", "Known audio that a pass has yet to transcribe")
DECIDED = METER.create_counter("winnow.decided.utterances", "", "Utterances of finished runs, by decision")
DECIDED_AUDIO = METER.create_counter("winnow.decided.audio", "s", "Audio of finished runs, by decision")
REASONS = METER.create_counter("winnow.reason.utterances", "", "Utterances of finished runs not kept, by reason")


def count_attempt(role: str, attempt: int) -> None:
    """Note that a pass begins with shards, for the first time or again."""
    if attempt > 1:
        PASS_RETRIES.add(1, {"role": role})


def count_pass(role: str, fresh: bool, shards: int, facts: Mapping[str, Any]) -> None:
    """Count what a pass did with shards; nothing but the shards themselves if an earlier attempt had done it."""
    PASS_SHARDS.add(shards, {"role": role, "source": "transcribed" if fresh else "ledger"})
    figures = {name: facts.get(name) or 0 for name in ("utterances", "audio_seconds", "seconds")}
    if fresh:
        where = {"role": role, "device": str(facts.get("device") or "none")}
        PASS_UTTERANCES.add(figures["utterances"], where)
        PASS_AUDIO.add(figures["audio_seconds"], where)
        PASS_TIME.add(figures["seconds"], where)
    described = {f"winnow.{name}": value for name, value in figures.items()}
    trace.get_current_span().set_attributes(described | {"winnow.role": role, "winnow.fresh": fresh})


def count_decisions(utterances: Mapping[str, int], hours: Mapping[str, float], reasons: Mapping[str, int]) -> None:
    """Count what a finished run decided: utterances and hours by decision, utterances by reason."""
    for decision, count in utterances.items():
        DECIDED.add(count, {"decision": decision})
    for decision, amount in hours.items():
        DECIDED_AUDIO.add(3600 * amount, {"decision": decision})
    for reason, count in reasons.items():
        REASONS.add(count, {"reason": reason})
    described = {f"winnow.{decision}": count for decision, count in utterances.items()}
    trace.get_current_span().set_attributes(described)

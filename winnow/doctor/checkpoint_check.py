"""Whether a run can use a model, without downloading it, and whether it could be downloaded."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from winnow.doctor.findings import Finding, failed, ok, warning
from winnow.engines.registry import ENGINES, engine_for
from winnow.errors import CheckpointError, DiskFull, EndpointUnavailable
from winnow.models.resolve import raise_if_unpinned, resolve
from winnow.parameters.redaction import redact_text

DOWNLOAD = "winnow download-models"
OFFLINE_REMEDY = (
    f"set HF_ENDPOINT to a mirror; or run {DOWNLOAD} on a machine with a network, copy its cache (HF_HOME) to this one "
    "and set HF_HUB_OFFLINE=1; or use models from files"
)


class CheckpointFinding(NamedTuple):
    """The finding about a model, its size in bytes, and whether it is missing here and comes from the hub."""

    finding: Finding
    size: int = 0
    missing: bool = False
    from_hub: bool = False


def check_checkpoint(name: str, trust_unpinned: bool) -> CheckpointFinding:
    """Check that the model is on this machine or can be downloaded, matches its pin and passes the preflight."""
    check = Path(name.partition("@")[0]).name
    from_hub = False
    try:
        engine = engine_for(name)
        from_hub = engine.needs_hub(name)
        if not trust_unpinned:
            raise_if_unpinned([name])
        if (size := engine.bytes_to_download(name)) is not None:
            message = f"{name}: not downloaded yet" + (f" ({size / 1e6:,.1f} MB)" if size else "")
            return CheckpointFinding(warning(check, message, f"{DOWNLOAD} {name}"), size, True, from_hub)
        checkpoint = resolve(name, trust_unpinned)
    except (CheckpointError, DiskFull, EndpointUnavailable) as error:
        message, _, remedy = str(error).rpartition("; ")
        finding = failed(check, message, remedy) if message else failed(check, str(error), another_model())
        return CheckpointFinding(finding, from_hub=from_hub)
    pinned = "pinned" if checkpoint.pinned else "not pinned"
    if engine.elsewhere:
        return CheckpointFinding(ok(check, f"{checkpoint.name}: the endpoint answers, {pinned}"))
    size = engine.bytes_of(checkpoint.path)
    return CheckpointFinding(ok(check, f"{checkpoint.name}: {checkpoint.family}, {size / 1e6:,.1f} MB, {pinned}"), size)


def another_model() -> str:
    return f"give another model: {', or '.join(engine.model_names for engine in ENGINES.values())}"


def why_not_runnable(names: list[str]) -> Finding | None:
    """Return why the smoke run cannot use these models: one is not downloaded yet, or is a file of transcripts."""
    for name in names:
        engine = engine_for(name)
        if engine.precomputed:
            message = f"not tried: {name} has no transcript of the utterance that the smoke run uses"
            return warning("smoke run", message, "give a model that is run here")
        if engine.bytes_to_download(name) is not None:
            return warning("smoke run", f"not tried: {name} is not downloaded yet", f"{DOWNLOAD} {name}")
    return None


def ping(endpoint: str) -> None:
    """Raise OSError unless a server answers at the address, whatever its answer."""
    with suppress(HTTPError), urlopen(Request(endpoint, method="HEAD"), timeout=10):
        pass


def check_hub(endpoint: str, offline: bool, needed: bool, ping: Callable[[str], object] = ping) -> Iterator[Finding]:
    """Check that the hub answers; a failure only if a model comes from it."""
    if offline:
        yield ok("hub", "not contacted, because HF_HUB_OFFLINE is set")
        return
    try:
        ping(endpoint)
    except OSError as error:
        message = f"{redact_text(endpoint)} does not answer ({getattr(error, 'reason', error)})"
        if needed:
            yield failed("hub", message, OFFLINE_REMEDY)
        else:
            yield warning("hub", f"{message}; none of these models comes from it", OFFLINE_REMEDY)
    else:
        yield ok("hub", f"{redact_text(endpoint)} answers")

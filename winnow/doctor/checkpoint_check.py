"""Whether a run can read with a checkpoint, found out without fetching it, and whether it could be fetched."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from winnow.doctor.findings import Finding, failed, ok, warning
from winnow.engines.registry import engine_for
from winnow.errors import CheckpointError, DiskFull
from winnow.models.resolve import resolve
from winnow.parameters.redaction import redact_text

MIRROR = (
    "set HF_ENDPOINT to a mirror; or run winnow download-models where there is a network, bring its cache (HF_HOME) "
    "here and set HF_HUB_OFFLINE=1; or give .nemo files"
)
OTHER = "give a .nemo file that is there, or a name on the hub or NGC (README: Your own speech)"


class CheckpointFinding(NamedTuple):
    """What was found of a checkpoint: its bytes, whether they are still to be fetched, and whether from the hub."""

    finding: Finding
    size: int = 0
    lacking: bool = False
    of_hub: bool = False


def check_checkpoint(name: str, trust_unpinned: bool) -> CheckpointFinding:
    """Whether the checkpoint is there, is what its pin says and passes the pre-flight."""
    check = Path(name.partition("@")[0]).name
    of_hub = False
    try:
        engine = engine_for(name)
        of_hub = engine.needs_hub(name)
        if (size := engine.bytes_to_download(name)) is not None:
            found = f"{name}: not fetched yet" + (f", {size / 1e6:,.1f} MB" if size else "")
            return CheckpointFinding(warning(check, found, f"winnow download-models {name}"), size, True, of_hub)
        checkpoint = resolve(name, trust_unpinned)
    except (CheckpointError, DiskFull) as error:
        found, _, remedy = str(error).rpartition("; ")
        return CheckpointFinding(failed(check, found or str(error), remedy if found else OTHER), of_hub=of_hub)
    size = checkpoint.path.stat().st_size
    pinned = "pinned" if checkpoint.pinned else "not pinned, and trusted"
    said = f"{checkpoint.name}: {checkpoint.family}, {size / 1e6:,.1f} MB, {pinned}"
    return CheckpointFinding(ok(check, said), size)


def why_not_runnable(names: list[str]) -> Finding | None:
    """Why no utterance is to be read with these models: it would fetch them, or they are readings of other ones."""
    if any(engine_for(name).precomputed for name in names):
        return warning("smoke run", "not tried: a file of readings has none of its utterance", "give a checkpoint")
    for name in names:
        if engine_for(name).bytes_to_download(name) is not None:
            return warning("smoke run", f"not tried: {name} is to be fetched first", f"winnow download-models {name}")
    return None


def ping(endpoint: str) -> None:
    """Raise OSError unless somebody answers there, whatever the answer."""
    with suppress(HTTPError), urlopen(Request(endpoint, method="HEAD"), timeout=10):
        pass


def check_hub(endpoint: str, offline: bool, needed: bool, reach: Callable[[str], object] = ping) -> Iterator[Finding]:
    """Whether the hub answers; where no model is of it, that is not needed."""
    if offline:
        yield ok("hub", "not asked, as HF_HUB_OFFLINE says")
        return
    try:
        reach(endpoint)
    except OSError as error:
        found = f"{redact_text(endpoint)} does not answer ({getattr(error, 'reason', error)})"
        yield failed("hub", found, MIRROR) if needed else warning("hub", f"{found}; no model here is of it", MIRROR)
    else:
        yield ok("hub", f"{redact_text(endpoint)} answers")

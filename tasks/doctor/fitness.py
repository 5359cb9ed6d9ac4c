"""Whether a run can read with a checkpoint, found out without fetching it, and whether it could be fetched."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tasks.checkpoints.checkpoint import HUB_NAME, NGC_NAME, PIN, BadCheckpoint, on_hub, one_line, parted, resolve
from tasks.checkpoints.hub import missing
from tasks.doctor.findings import Finding, failed, ok, warning
from tasks.parameters.credentials import redacted
from tasks.runs.storage import DiskFull

FILES = (".nemo", ".jsonl")
MIRROR = (
    "set HF_ENDPOINT to a mirror; or run winnow warm-up where there is a network, bring its cache (HF_HOME) here and "
    "set HF_HUB_OFFLINE=1; or give .nemo files"
)
OTHER = "give a .nemo file that is there, or a name on the hub or NGC (README: Your own speech)"


class Fitness(NamedTuple):
    """What was found of a checkpoint: its bytes, whether they are still to be fetched, and whether from the hub."""

    finding: Finding
    size: int = 0
    lacking: bool = False
    of_hub: bool = False


def fitness(name: str, trust_unpinned: bool) -> Fitness:
    """Whether the checkpoint is there, is what its pin says and passes the pre-flight."""
    check = Path(name.partition("@")[0]).name
    of_hub = bool(HUB_NAME.fullmatch(name.partition(PIN)[0])) and not name.partition("@")[0].endswith(FILES)
    try:
        if (size := lacking(parted(name)[0])) is not None:
            found = f"{name}: not fetched yet" + (f", {size / 1e6:,.1f} MB" if size else "")
            return Fitness(warning(check, found, f"winnow warm-up {name}"), size, True, of_hub)
        checkpoint = resolve(name, trust_unpinned)
    except (BadCheckpoint, DiskFull) as error:
        found, _, remedy = str(error).rpartition("; ")
        return Fitness(failed(check, found or str(error), remedy if found else OTHER), of_hub=of_hub)
    size = checkpoint.path.stat().st_size
    pinned = "pinned" if checkpoint.pinned else "not pinned, and trusted"
    said = f"{checkpoint.name}: {checkpoint.family}, {size / 1e6:,.1f} MB, {pinned}"
    return Fitness(ok(check, said), size)


def lacking(place: str) -> int | None:
    """The bytes of a model that is still to be fetched, 0 where nobody says; null where it is here."""
    if place.endswith(FILES):
        return None
    if HUB_NAME.fullmatch(place):
        try:
            return missing(*on_hub(place))
        except Exception as error:
            raise BadCheckpoint(
                f"{place}: neither in the cache nor to be had from the hub ({one_line(error)})"
            ) from error
    if NGC_NAME.fullmatch(place):
        from nemo.utils.model_utils import resolve_cache_dir

        return None if any(resolve_cache_dir().rglob(f"{place}.nemo")) else 0
    return None


def unread(names: list[str]) -> Finding | None:
    """Why no utterance is to be read with these models: it would fetch them, or they are readings of other ones."""
    if any(name.endswith(".jsonl") for name in names):
        return warning("smoke run", "not tried: a file of readings has none of its utterance", "give a checkpoint")
    for name in names:
        if lacking(parted(name)[0]) is not None:
            return warning("smoke run", f"not tried: {name} is to be fetched first", f"winnow warm-up {name}")
    return None


def reached(endpoint: str) -> None:
    """Raise OSError unless somebody answers there, whatever the answer."""
    with suppress(HTTPError), urlopen(Request(endpoint, method="HEAD"), timeout=10):
        pass


def hub(endpoint: str, offline: bool, needed: bool, reach: Callable[[str], object] = reached) -> Iterator[Finding]:
    """Whether the hub answers; where no model is of it, that is not needed."""
    if offline:
        yield ok("hub", "not asked, as HF_HUB_OFFLINE says")
        return
    try:
        reach(endpoint)
    except OSError as error:
        found = f"{redacted(endpoint)} does not answer ({getattr(error, 'reason', error)})"
        yield failed("hub", found, MIRROR) if needed else warning("hub", f"{found}; no model here is of it", MIRROR)
    else:
        yield ok("hub", f"{redacted(endpoint)} answers")

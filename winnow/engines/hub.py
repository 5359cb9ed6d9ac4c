"""Files of the Hugging Face hub, in huggingface_hub's own cache; a download goes on where it was stopped.

huggingface_hub goes on after a broken connection, but begins anew after a process that died.
"""

import fcntl
import hashlib
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from winnow.errors import DiskFull
from winnow.parameters.redaction import redact_text
from winnow.runs.storage import DISK_FULL_ERRORS

progress_callback: ContextVar[Callable[[int, int | None], None]] = ContextVar(
    "watcher", default=lambda there, size: None
)
"""Who is told, in this thread, how many bytes of a download are there, and how many it has."""

log = logging.getLogger("winnow")

SHA256 = re.compile("[0-9a-f]{64}")


class ChecksumMismatch(OSError):
    """A download whose bytes are not those that the hub promised."""


def bytes_to_download(repository: str, file: str, revision: str | None) -> int | None:
    """The bytes that are to be fetched before the file can be had; null where it is in the cache."""
    from huggingface_hub import hf_hub_download

    plan = hf_hub_download(repository, file, revision=revision, dry_run=True)
    return plan.file_size or 0 if plan.will_download else None


def fetch(repository: str, file: str, revision: str | None) -> Path:
    """The file in the cache, from the hub if it is not there (HF_ENDPOINT, HF_HUB_OFFLINE and HF_HOME count)."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    plan = hf_hub_download(repository, file, revision=revision, dry_run=True)
    if plan.will_download:
        url = hf_hub_url(repository, file, revision=plan.commit_hash)
        promised = get_hf_file_metadata(url)
        download(url, Path(plan.local_path).parents[2] / "blobs" / str(promised.etag), promised.size)
    return Path(hf_hub_download(repository, file, revision=revision))


def download(url: str, blob: Path, size: int | None) -> None:
    """The file under the name that huggingface_hub looks for; what is there of it already is not fetched again."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    blob.parent.mkdir(parents=True, exist_ok=True)
    part = blob.with_name(f"{blob.name}.part")
    try:
        with part.open("ab") as file:
            with suppress(OSError):  # some disks cannot lock; the digest tells then
                fcntl.flock(file, fcntl.LOCK_EX)
            if blob.exists():  # another process had it first
                part.unlink(missing_ok=True)
                return
            there = file.seek(0, 2)
            if size is not None and there > size:
                there = file.truncate(0)
            log.info(
                "fetching %s%s%s",
                redact_text(url),
                format_megabytes(", %s", size),
                format_megabytes(", of which %s are there", there),
            )
            bar: Any = partial(ProgressAdapter, there, size)
            http_get(url, file, resume_size=there, headers=build_hf_headers(), expected_size=size, tqdm_class=bar)
            file.flush()
            verify_checksum(part, blob.name)
            part.replace(blob)
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull(f"{blob.parent}: {error.strerror}: make room, or set HF_HOME to another disk") from error
        raise


def format_megabytes(words: str, size: int | None) -> str:
    return words % f"{size / 1e6:,.1f} MB" if size else ""


def verify_checksum(part: Path, etag: str) -> None:
    """Remove what is not what it should be; the hub calls large files by their sha256."""
    with part.open("rb") as file:
        if SHA256.fullmatch(etag) and (found := hashlib.file_digest(file, "sha256").hexdigest()) != etag:
            part.unlink()
            raise ChecksumMismatch(
                f"its sha256 is {found} and was to be {etag}: it was removed, and is fetched anew next time"
            )


class ProgressAdapter:
    """What huggingface_hub takes for a progress bar: it shows nothing, and tells."""

    def __init__(self, there: int, size: int | None, **_: Any) -> None:
        self.there, self.size, self.tell = there, size, progress_callback.get()

    def __enter__(self) -> "ProgressAdapter":
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, more: int) -> None:
        self.there += more
        self.tell(self.there, self.size)

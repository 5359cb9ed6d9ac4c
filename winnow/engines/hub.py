"""Files from the Hugging Face hub, in huggingface_hub's own cache; an interrupted download continues.

huggingface_hub itself continues after a broken connection, but starts again after its process has died.
"""

import fcntl
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from winnow.digests import sha256_of
from winnow.errors import DISK_FULL_ERRORS, DiskFull
from winnow.parameters.redaction import redact_text

progress_callback: ContextVar[Callable[[int, int | None], None]] = ContextVar(
    "progress_callback", default=lambda downloaded, size: None
)
"""Called in this thread with how many bytes of a download have arrived, and how many it has, if that is known."""

log = logging.getLogger("winnow")

ANSWER_SECONDS = 5.0  # for a question that a run can do without

SHA256 = re.compile("[0-9a-f]{64}")


class ChecksumMismatch(OSError):
    """The downloaded bytes are not those that the hub announced."""


def bytes_to_download(repository: str, file: str, revision: str | None) -> int | None:
    """Return how many bytes must be downloaded before the file can be used; None if it is in the cache."""
    from huggingface_hub import hf_hub_download

    plan = hf_hub_download(repository, file, revision=revision, dry_run=True)
    return plan.file_size or 0 if plan.will_download else None


def commit_of(repository: str, file: str, revision: str | None) -> str:
    """Return the commit that has the file, asking the hub once."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    return str(
        get_hf_file_metadata(hf_hub_url(repository, file, revision=revision), timeout=ANSWER_SECONDS).commit_hash
    )


def fetch(repository: str, file: str, revision: str | None) -> Path:
    """Return the file in the cache, downloaded if necessary (HF_ENDPOINT, HF_HUB_OFFLINE and HF_HOME apply)."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    plan = hf_hub_download(repository, file, revision=revision, dry_run=True)
    if plan.will_download:
        url = hf_hub_url(repository, file, revision=plan.commit_hash)
        metadata = get_hf_file_metadata(url)
        download(url, Path(plan.local_path).parents[2] / "blobs" / str(metadata.etag), metadata.size)
    return Path(hf_hub_download(repository, file, revision=revision))


def download(url: str, blob: Path, size: int | None) -> None:
    """Download a file of `size` bytes to where huggingface_hub looks for it, after the bytes that are there already.

    Raises DiskFull, or ChecksumMismatch.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    blob.parent.mkdir(parents=True, exist_ok=True)
    part = blob.with_name(f"{blob.name}.part")
    try:
        with part.open("ab") as file:
            with suppress(OSError):  # some disks cannot lock; the checksum guards against two writers then
                fcntl.flock(file, fcntl.LOCK_EX)
            if blob.exists():  # another process was first
                part.unlink(missing_ok=True)
                return
            resume_at = file.seek(0, 2)
            if size is not None and resume_at > size:
                resume_at = file.truncate(0)
            log.info(
                "downloading %s%s%s",
                redact_text(url),
                format_megabytes(", %s", size),
                format_megabytes(", resuming at %s", resume_at),
            )
            bar: Any = partial(ProgressAdapter, resume_at, size)
            headers = build_hf_headers()
            http_get(url, file, resume_size=resume_at, headers=headers, expected_size=size, tqdm_class=bar)
            file.flush()
            verify_checksum(part, blob.name)
            part.replace(blob)
    except OSError as error:
        if error.errno in DISK_FULL_ERRORS:
            raise DiskFull(
                f"{blob.parent}: {error.strerror}: free some space, or set HF_HOME to another disk"
            ) from error
        raise


def format_megabytes(template: str, size: int | None) -> str:
    return template % f"{size / 1e6:,.1f} MB" if size else ""


def verify_checksum(part: Path, etag: str) -> None:
    """Remove the file and raise ChecksumMismatch if it is not what its etag says; the hub's is a sha256 if large."""
    if SHA256.fullmatch(etag) and (sha256 := sha256_of(part)) != etag:
        part.unlink()
        raise ChecksumMismatch(
            f"checksum mismatch: expected sha256 {etag}, got {sha256}: the file was removed, try again"
        )


class ProgressAdapter:
    """A stand-in for the progress bar of huggingface_hub, which shows nothing and calls `progress_callback`."""

    def __init__(self, downloaded: int, size: int | None, **_: Any) -> None:
        self.downloaded, self.size, self.report = downloaded, size, progress_callback.get()

    def __enter__(self) -> "ProgressAdapter":
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, count: int) -> None:
        self.downloaded += count
        self.report(self.downloaded, self.size)

"""Corpora of other machines: their manifests are copied by content, and read as if they lay here.

A corpus is a file, several by a pattern, or a folder of an object store. A copy is made in a folder of the cache that
is named after what is in it, so that a run reads what it has digested; a corpus that changes has another one. Audio
and archives are not copied: paths relative to the corpus are URLs, and are fetched when they are decoded.

A form that needs more than copies of its lists, such as the members of a tar, sets `reads_urls` and gets the URL. It
finds in `winnow.audio.remote.fetch` what it needs: `list_files` lists a folder or pattern of a store, `copy_file`
copies a small file, and `local_path` brings a large one into the bounded cache of audio.
"""

import hashlib
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.fetch import copy_file, list_files, version_of
from winnow.audio.remote.urls import host_of, is_http, is_url, name_of, parent_of
from winnow.cache import cache_root
from winnow.corpora.source import CorpusSummary, Shard, Source, changed
from winnow.corpora.utterance import Row
from winnow.digests import sha256_of
from winnow.errors import ManifestError

NOT_COPIED = {
    *(".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm", ".mkv", ".wma", ".amr", ".sph"),
    *(".aiff", ".aif", ".au", ".caf", ".w64", ".g722", ".gsm", ".tar", ".tgz", ".zip"),
}
"""Suffixes of audio and of archives."""

COPIES_AT_ONCE = 8


class Original(NamedTuple):
    """A remote file of a corpus, with its version and its name below the corpus's folder."""

    url: str
    version: str
    name: str


class RemoteCorpus(Source):
    """A corpus at a URL, of any form that is read from files."""

    reads_urls = True

    def __init__(self, location: str, folder: str, referenced: bool = True, columns: str = "") -> None:
        super().__init__(location, folder or folder_of_url(location), referenced, columns)

    @staticmethod
    def claims(location: str) -> bool:
        return is_url(location)

    @property
    def form(self) -> str:  # type: ignore[override]
        """What the form of the copy is called."""
        return self.copied.form

    @cached_property
    def copied(self) -> Source:
        """The source of the copy. Raises ManifestError if the corpus cannot be fetched."""
        from winnow.corpora.registry import open_source

        with self.explained():
            return open_source(self.local, self.folder, self.referenced, self.columns)

    @cached_property
    def local(self) -> str:
        """Where the copy is."""
        return copy_corpus(self.location)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Name the corpus by its URL in errors, and not by its copy."""
        try:
            yield
        except ManifestError as error:
            local = self.__dict__.get("local", self.location)
            if local != self.location and not Path(local).parent.exists():  # removed when another version was copied
                raise changed(self.location) from error
            raise ManifestError(str(error).replace(local, self.location)) from error

    def check(self) -> None:
        with self.explained():
            self.copied.check()

    def digest(self) -> str:
        with self.explained():
            return self.copied.digest()

    def shards(self, hours: float) -> Iterator[Shard]:
        with self.explained():
            yield from self.copied.shards(hours)

    def rows(self, locator: dict[str, Any]) -> Iterator[Row]:
        with self.explained():
            yield from self.copied.rows(locator)

    def scan(self) -> Iterator[Row]:
        with self.explained():
            yield from self.copied.scan()

    def summary(self) -> CorpusSummary:
        with self.explained():
            return self.copied.summary()


def folder_of_url(location: str) -> str:
    """Return the URL where relative paths of a corpus start: its folder, or itself if it ends with a slash."""
    stem = location.partition("*")[0].partition("?")[0].partition("[")[0] if not is_http(location) else location
    return stem.rstrip("/") if stem.endswith("/") else parent_of(stem)


def copy_corpus(location: str) -> str:
    """Copy the lists of a corpus unless there is a copy; return the path of its file or folder, or the pattern there.

    Raises ManifestError.
    """
    try:
        originals = find_originals(location)
        place = cache_root() / "corpora" / digest_of(location)
        single = len(originals) == 1 and originals[0].url == location
        folder = copied_folder(place, originals)
    except BadAudio as problem:
        raise ManifestError(f"{location}: cannot read the manifest: {problem.detail}") from problem
    if single:
        return str(folder / originals[0].name)
    pattern = name_of_pattern(location)
    return str(folder / pattern) if pattern else str(folder)


def find_originals(location: str) -> list[Original]:
    """Return the files of a corpus that are copied."""
    if is_http(location):
        if location.endswith("/"):
            raise ManifestError(f"{location}: a web server cannot be asked for a list of files: give a manifest in it")
        return [Original(location, version_of(location), plain_name(name_of(location)))]
    found = list_files(location)
    if [file.url for file in found] == [location]:
        return [Original(location, found[0].version, plain_name(name_of(location)))]
    folder = folder_of_url(location) if name_of_pattern(location) else location.rstrip("/")
    kept = [file for file in found if Path(file.url).suffix.lower() not in NOT_COPIED]
    if not kept:
        raise ManifestError(f"{location}: no such file in {host_of(location)}, and no folder or pattern with files")
    return [Original(file.url, file.version, plain_name(file.url.removeprefix(f"{folder}/"))) for file in kept]


def plain_name(name: str) -> str:
    """Return the name of a file below a folder. Raises ManifestError for one that leads elsewhere."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise ManifestError(f"{name!r}: not the name of a file that can be copied")
    return name


def name_of_pattern(location: str) -> str:
    """Return a pattern without the folder that it starts in; "" if the location is none."""
    folder = folder_of_url(location)
    rest = location.removeprefix(f"{folder}/")
    return rest if not is_http(location) and any(letter in rest for letter in "*?[") else ""


def copied_folder(place: Path, originals: list[Original]) -> Path:
    """Return the folder with copies of these files, of which only the versions that are there now are kept."""
    index = place / f"{digest_of(*map(str, originals))}.version"
    with suppress(FileNotFoundError):
        folder = place / index.read_text()
        if folder.is_dir():
            return folder
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place / f".draft-{uuid.uuid4().hex}"
    try:
        contents = copy_all(originals, draft)
        folder = place / digest_of(*contents)
        if not folder.exists():
            with suppress(OSError):  # another process was faster
                draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for path in place.iterdir():
        if path.suffix == ".version":
            path.unlink(missing_ok=True)
        elif path != folder and not path.name.startswith(".draft-"):
            shutil.rmtree(path, ignore_errors=True)
    index.write_text(folder.name)
    return folder


def copy_all(originals: list[Original], folder: Path) -> list[str]:
    """Copy files in parallel; return the name and the sha256 of each."""

    def copy(original: Original) -> str:
        path = folder / original.name
        path.parent.mkdir(parents=True, exist_ok=True)
        copy_file(original.url, path)
        return f"{original.name} {sha256_of(path)}"

    with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="copy") as pool:
        return list(pool.map(copy, originals))


def digest_of(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

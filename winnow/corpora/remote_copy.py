"""Copies of the lists of remote corpora, and stand-ins of the files that hold their audio.

A copy is made in a folder of the cache that is named after what is in it, so that a run reads what it has digested; a
corpus that changes has another one. Audio is not copied.
"""

import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from winnow.audio.audio_cache import DRAFT
from winnow.audio.measurements import BadAudio
from winnow.audio.remote.fetch import copy_file
from winnow.audio.remote.stand_ins import SUFFIXES, corpora_folder, write_stand_in
from winnow.audio.remote.stores import StoredFile
from winnow.audio.remote.urls import host_of, is_http, is_url, name_of, parent_of
from winnow.cache import mark_used, remove_unused
from winnow.corpora.file_patterns import has_range, in_braces
from winnow.corpora.lj_speech import AUDIO, METADATA
from winnow.corpora.nemo_names import SHARDED
from winnow.corpora.remote_files import AT_ONCE, find_files
from winnow.corpora.remote_neighbors import lists_of, tars_beside
from winnow.digests import sha256_of, short_digest
from winnow.errors import ManifestError
from winnow.file_lock import locked

NOT_COPIED = {
    *(".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm", ".mkv", ".wma", ".amr", ".sph"),
    *(".aiff", ".aif", ".au", ".caf", ".w64", ".g722", ".gsm", ".zip"),
}
"""Suffixes of audio and of archives that are not read."""

NOT_LISTED = (
    "a web server cannot be asked for a list of files: give a file in it, such as a manifest, or a range of them, such "
    "as 'train-{000000..000007}.tar'"
)


class Original(NamedTuple):
    """A remote file of a corpus, with its version and its name below the corpus's folder."""

    url: str
    version: str
    name: str


class Copy(NamedTuple):
    """The copy of a corpus: its folder, that of the corpus, and what names the corpus in both; "" for all."""

    folder: Path
    remote: str
    name: str

    @property
    def path(self) -> str:
        return str(self.folder / self.name)


def copy_corpus(location: str) -> Copy:
    """Copy the lists of a corpus unless there is a copy. Raises ManifestError."""
    try:
        remote, originals = find_originals(location)
        place = corpora_folder() / short_digest(location)
        folder = copied_folder(place, originals)
        mark_used(place)
    except BadAudio as problem:
        raise ManifestError(f"{location}: cannot read the manifest: {problem.detail}") from problem
    return Copy(folder, remote, "" if remote == location.rstrip("/") else name_below(remote, location))


def local_copy(location: str) -> str:
    """Return a path or pattern as it is, and that of the copy of a URL. Raises ManifestError."""
    return copy_corpus(location).path if is_url(location) else location


def find_originals(location: str) -> tuple[str, list[Original]]:
    """Return the folder of a corpus, and its files that are copied or stood in for."""
    folder = folder_of_url(location)
    if is_http(location) and location.endswith("/"):
        found = lists_of(folder)
        if not found:
            raise ManifestError(f"{location}: {NOT_LISTED}")
    else:
        found = find_files(location)
        if not is_several(location) and [file.url for file in found] != [location]:
            folder = location.rstrip("/")
        else:
            tars = [tar for file in found for tar in tars_beside(file.url)]
            if not tars and name_of(folder) == SHARDED:  # as NeMo's script writes them
                tars = [tar for file in found for tar in tars_beside(file.url, parent_of(folder))]
                folder = parent_of(folder) if tars else folder
            found = [*found, *tars]
    kept = {file.url: file for file in found if Path(name_of(file.url)).suffix.lower() not in NOT_COPIED}
    if not kept:
        raise ManifestError(f"{location}: no such file in {host_of(location)}, and no folder or pattern with files")
    originals = [original_of(folder, file) for file in kept.values()]
    names = Counter(original.name for original in originals)
    if double := next((name for name, number in names.items() if number > 1), None):
        raise ManifestError(f"{location}: {names[double]} of its files are called {double!r}, without their queries")
    return folder, originals


def original_of(folder: str, file: StoredFile) -> Original:
    """Return a file of a folder. Raises ManifestError for a name that leads elsewhere."""
    name = name_below(folder, file.url)
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise ManifestError(f"{name!r}: not the name of a file that can be copied")
    return Original(file.url, file.version, name)


def name_below(folder: str, url: str) -> str:
    """Return the path of a file or pattern below a folder, as local files have it: without a query."""
    name = url.removeprefix(f"{folder}/")
    return unquote(name.partition("?")[0].partition("#")[0]) if is_http(url) else name


def is_several(location: str) -> bool:
    """Tell whether a URL is a pattern or a range, of which a web server has ranges only."""
    return has_range(location) or (not is_http(location) and any(letter in location for letter in "*?["))


def folder_of_url(location: str) -> str:
    """Return the URL where relative paths of a corpus start: its folder, or itself if it ends with a slash."""
    stem = location
    if is_several(location):
        stem = in_braces(location).partition("{")[0]
        stem = stem if is_http(location) else stem.partition("*")[0].partition("?")[0].partition("[")[0]
    return stem.rstrip("/") if stem.endswith("/") else parent_of(stem)


def copied_folder(place: Path, originals: list[Original]) -> Path:
    """Return the folder with copies of these files, of which only the versions that are there now are kept."""
    index = place / f"{short_digest(*map(str, originals))}.version"
    if folder := folder_in(index):
        return folder
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_unused(place.parent)
    with locked(place.with_suffix(".lock")):
        return folder_in(index) or copy_anew(index, originals)  # another process may have been faster


def folder_in(index: Path) -> Path | None:
    """Return the folder that an index names; None if it is not there, or if there is no index."""
    try:
        name = index.read_text()
    except FileNotFoundError:
        return None
    return index.with_name(name) if name and index.with_name(name).is_dir() else None


def copy_anew(index: Path, originals: list[Original]) -> Path:
    """Copy files beside their index, and remove all other versions and what dead processes left."""
    draft = index.with_name(DRAFT)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        folder = index.with_name(short_digest(*copy_all(originals, draft)))
        if not folder.exists():
            sync(draft, *draft.rglob("*"))
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for path in index.parent.iterdir():
        if not path.is_dir():
            path.unlink()
        elif path != folder:
            shutil.rmtree(path, ignore_errors=True)
    index.with_suffix(DRAFT).write_text(folder.name)
    sync(index.with_suffix(DRAFT), index.parent)
    index.with_suffix(DRAFT).replace(index)
    return folder


def sync(*paths: Path) -> None:
    """Have the system write files, and the names in folders, to the disk."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def copy_all(originals: list[Original], folder: Path) -> list[str]:
    """Copy files in parallel; return the name and the sha256 of each."""

    def copy(original: Original) -> str:
        path = folder / original.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name.lower().endswith(SUFFIXES):
            write_stand_in(path, original.url, original.version)
        else:
            copy_file(original.url, path)
        if path.name == METADATA:
            path.with_name(AUDIO).mkdir(exist_ok=True)  # by which LJ Speech is known
        return f"{original.name} {sha256_of(path)}"

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="copy") as pool:
        return list(pool.map(copy, originals))

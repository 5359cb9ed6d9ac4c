"""The files that a URL names: one, those of a range in braces, or in a store those of a folder or pattern."""

from concurrent.futures import ThreadPoolExecutor

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.fetch import list_files, version_of
from winnow.audio.remote.stores import StoredFile
from winnow.audio.remote.urls import is_http, name_of
from winnow.corpora.file_patterns import expand_braces, has_range

AT_ONCE = 8  # files that are asked for or copied at the same time


def find_files(location: str) -> list[StoredFile]:
    """Return the files in the order of a range, or else of their names. Raises BadAudio and ManifestError."""
    urls = expand_braces(location) if has_range(location) else [location]
    if len(urls) == 1:
        return found_by(urls[0])
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="find") as pool:
        return [file for files in pool.map(found_in_range, urls) for file in files]


def found_by(url: str) -> list[StoredFile]:
    """Return the files of one URL or pattern; none if a store has none."""
    return [StoredFile(url, version_of(url), 0)] if is_http(url) else list_files(url)


def found_in_range(url: str) -> list[StoredFile]:
    """Return the files of one URL of several. Raises BadAudio, which names it, if there are none."""
    try:
        found = found_by(url)
    except BadAudio as problem:
        raise BadAudio(problem.reason, f"{name_of(url)}: {problem.detail}") from problem
    if not found:
        raise BadAudio("AUDIO_MISSING", f"{name_of(url)}: no such file")
    return found


def find_if_there(url: str) -> StoredFile | None:
    """Return a file, or None if there is none. Raises BadAudio if it cannot be asked for."""
    try:
        return StoredFile(url, version_of(url), 0)
    except BadAudio as problem:
        if problem.reason == "AUDIO_MISSING":
            return None
        raise

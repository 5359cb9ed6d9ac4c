"""Open the audio of an utterance wherever it is: always a range of bytes of a local file."""

from collections.abc import Callable
from pathlib import Path

from winnow.audio.arrow_cells import open_arrow_cell
from winnow.audio.measurements import BadAudio
from winnow.audio.parquet_cells import open_parquet_cell
from winnow.audio.places import Place, parse_place
from winnow.audio.remote.fetch import open_remote
from winnow.audio.remote.urls import is_url
from winnow.audio.safe_open import AudioFile, open_file
from winnow.audio.tar_members import open_tar_member

OPENERS: dict[str, Callable[[AudioFile, Place], AudioFile]] = {
    "tar": open_tar_member,
    "parquet": open_parquet_cell,
    "arrow": open_arrow_cell,
}
"""How an entry is found in an open container, by the kind of container."""


def open_audio(path: str, root: str | Path | None) -> AudioFile:
    """Open the audio at a row's `path`: the one place that knows where audio lies.

    Raises BadAudio if it is not in a regular file, outside `root`, or not in its container any more, and if
    it cannot be fetched.
    """
    place = parse_place(path)
    file = open_container(place.container, root)
    if not place.kind:
        return file
    try:
        return OPENERS[place.kind](file, place)
    except BaseException:
        file.close()
        raise


def open_container(container: str, root: str | Path | None) -> AudioFile:
    """Open a local file, or the cached copy of a remote one."""
    if is_url(container):
        return open_remote(container, None if root is None else str(root))
    if root is not None and is_url(root):
        raise BadAudio("PATH_OUTSIDE_ROOT", "a local path, and not below the audio root")
    return open_file(container, root)

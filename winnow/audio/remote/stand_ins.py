"""Stand-ins: small files of the cache that lie where large files of another machine would lie.

So what finds files by their names finds those of a copied corpus too. What reads them asks here for their content,
which is fetched into the cache of audio. Only files below the folder of copied corpora are taken for stand-ins.
"""

from pathlib import Path

from winnow.audio.remote.fetch import local_path, open_remote
from winnow.audio.safe_open import AudioFile, open_file
from winnow.cache import cache_root

MARK = "stand-in of a remote file\n"
SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.bz2", ".parquet", ".parq", ".pq", ".arrow", ".feather")
"""How files end that a stand-in is written for: those that hold the audio of many utterances."""


def corpora_folder() -> Path:
    """Return where copies of remote corpora are kept."""
    return cache_root() / "corpora"


def write_stand_in(path: Path, url: str, version: str) -> None:
    path.write_text(f"{MARK}{url}\n{version}\n")


def url_of(path: str | Path) -> str | None:
    """Return the URL of the file that a stand-in stands for; None if it is a file itself."""
    path = Path(path)
    if not path.name.lower().endswith(SUFFIXES) or not path.is_relative_to(corpora_folder()) or not path.is_file():
        return None
    return path.read_text().removeprefix(MARK).splitlines()[0]


def open_content(path: str) -> AudioFile:
    """Open a file, or the one that it stands for. Raises BadAudio and OSError."""
    url = url_of(path)
    return open_remote(url) if url else open_file(path, None)


def content_path(path: Path) -> Path:
    """Return the path itself, or that of the fetched copy. Raises BadAudio."""
    url = url_of(path)
    return local_path(url) if url else path

"""Parquet files behind URLs: rows are listed by requests for the parts of a file that have no audio.

The files themselves are fetched into the cache of audio when their rows are decoded.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from winnow.audio.measurements import BadAudio
from winnow.audio.parquet_cells import first_line, footer_of
from winnow.audio.remote.fetch import open_remote
from winnow.audio.remote.stand_ins import url_of
from winnow.audio.remote.urls import is_url
from winnow.corpora.columnar.parquet import SUFFIXES, file_lines, local_lines, parquet_lines
from winnow.corpora.listing import ListedSource
from winnow.corpora.remote_files import find_files
from winnow.errors import ManifestError


class RemoteParquet(ListedSource):
    """A Parquet file at a URL, those of a range, or all that a pattern of an object store matches."""

    form = "Parquet"
    reads_urls = True

    @staticmethod
    def claims(location: str) -> bool:
        return is_url(location) and location.partition("?")[0].lower().endswith(SUFFIXES)

    @cached_property
    def versions(self) -> dict[str, str]:
        """What tells each file from its other versions, by its URL. Raises ManifestError."""
        with self.explained():
            found = {file.url: file.version for file in find_files(self.location)}
        if not found:
            raise ManifestError(f"{self.location}: no such file")
        return found

    def key(self) -> str:
        made_from = [type(self).__name__, self.VERSION, self.columns, list(self.versions.items())]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()

    def lines(self) -> Iterator[bytes]:
        for url in self.versions:
            with self.explained():
                yield from remote_lines(url, self.columns)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say in one line that a file cannot be fetched."""
        try:
            yield
        except BadAudio as problem:
            raise ManifestError(f"{self.location}: cannot read the manifest: {problem.detail}") from problem
        except (OSError, ImportError) as error:
            raise ManifestError(f"{self.location}: cannot read the manifest: {first_line(error)}") from error


def lines_of(path: Path, columns: str) -> Iterator[bytes]:
    """Yield the line of each row in a Parquet file, or in the remote one that it stands for."""
    url = url_of(path)
    return remote_lines(url, columns) if url else local_lines(path, columns)


def remote_lines(url: str, columns: str) -> Iterator[bytes]:
    """Yield the line of each row in a file behind a URL, which is fetched if the server cannot send parts of it.

    Raises ManifestError, BadAudio and OSError.
    """
    with open_url(url) as file:
        try:
            footer = footer_of(partial(read_at, file), file.size)
        except (ValueError, TypeError):  # of fsspec: no ranges, or no size
            footer = None
        if footer is not None:
            yield from parquet_lines(coalescing, file, footer, url, columns)
            return
    with open_remote(url) as copy:
        yield from file_lines(copy, url, columns)


def open_url(url: str) -> Any:
    """Open a file of which only what is asked for is fetched."""
    import fsspec

    fs, path = fsspec.core.url_to_fs(url)
    return fs.open(path, "rb", cache_type="none", block_size=None)


def read_at(file: Any, length: int, start: int) -> bytes:
    file.seek(start)
    return bytes(file.read(length))


def coalescing(source: Any) -> pq.ParquetFile:
    """Open a Parquet file so that columns beside each other are one request."""
    return pq.ParquetFile(source, pre_buffer=True)

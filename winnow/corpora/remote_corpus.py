"""Corpora of other machines: their lists are copied by content, and read as if they lay here.

A corpus is a file, several by a pattern or range, or a folder. Files that hold the audio of many utterances have
stand-ins beside the lists, and are fetched into the bounded cache of audio when their members are listed. Audio files
are not copied: paths relative to the corpus are URLs, and are fetched when they are decoded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from winnow.audio.measurements import BadAudio
from winnow.audio.remote.urls import is_url
from winnow.corpora.remote_copy import Copy, copy_corpus
from winnow.corpora.source import CorpusSummary, Shard, Source, changed
from winnow.corpora.utterance import Row
from winnow.errors import ManifestError


class RemoteCorpus(Source):
    """A corpus at a URL, of any form that is read from files."""

    reads_urls = True

    @staticmethod
    def claims(location: str) -> bool:
        return is_url(location)

    @property
    def form(self) -> str:  # type: ignore[override]
        """What the form of the copy is called."""
        return self.copied.form

    @property
    def folder(self) -> str:
        """Where relative paths start: the folder of the corpus unless another one was given."""
        return self._folder or self.copy.remote

    @folder.setter
    def folder(self, folder: str) -> None:
        self._folder = folder

    @cached_property
    def copied(self) -> Source:
        """The source of the copy. Raises ManifestError if the corpus cannot be fetched."""
        from winnow.corpora.registry import open_source

        with self.explained():
            return open_source(self.copy.path, self.folder, self.referenced, self.columns)

    @cached_property
    def copy(self) -> Copy:
        """The copy of the lists."""
        return copy_corpus(self.location)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Name the corpus and its files by their URLs in errors, and not by their copies."""
        try:
            yield
        except (ManifestError, BadAudio) as error:
            copy: Copy | None = self.__dict__.get("copy")
            if copy and not copy.folder.exists():  # removed when another version was copied
                raise changed(self.location) from error
            if isinstance(error, BadAudio):
                raise ManifestError(f"{self.location}: cannot read the manifest: {error.detail}") from error
            raise ManifestError(str(error).replace(str(copy.folder), copy.remote) if copy else str(error)) from error

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

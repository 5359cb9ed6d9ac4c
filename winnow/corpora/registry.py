"""Forms of input that Winnow reads."""

from pathlib import Path
from typing import Protocol

from winnow.audio.audio_cache import AUDIO_CACHE
from winnow.audio.remote.urls import is_url
from winnow.corpora.audio_folder import AudioFolder
from winnow.corpora.columnar.arrow import ArrowFile, SavedDataset
from winnow.corpora.columnar.dataset_folder import DatasetFolder
from winnow.corpora.columnar.hub_dataset import HubDataset
from winnow.corpora.columnar.parquet import ParquetFiles
from winnow.corpora.columnar.remote_parquet import RemoteParquet
from winnow.corpora.json_lines_files import JsonLinesFiles
from winnow.corpora.kaldi import KaldiFolder
from winnow.corpora.lhotse_cuts import LhotseCuts
from winnow.corpora.lhotse_shar import LhotseShar
from winnow.corpora.lj_speech import LjSpeech
from winnow.corpora.nemo_jsonl.source import NemoJsonl
from winnow.corpora.nemo_tarred import NemoTarred
from winnow.corpora.remote_corpus import RemoteCorpus
from winnow.corpora.source import Source
from winnow.corpora.tables import Table
from winnow.corpora.tar_samples import TarSamples
from winnow.parameters.audio import AudioOptions

SOURCES: list[type[Source]] = [
    KaldiFolder,
    LjSpeech,
    AudioFolder,
    LhotseShar,
    SavedDataset,
    RemoteParquet,
    HubDataset,
    ParquetFiles,
    ArrowFile,
    DatasetFolder,
    Table,
    NemoTarred,
    LhotseCuts,
    TarSamples,
    JsonLinesFiles,
    RemoteCorpus,
    NemoJsonl,
]
"""The sources, of which the first that claims a location opens it. NeMo's claims everything, and so is the last."""


def open_source(
    location: str | Path, folder: str | Path | None = None, referenced: bool = True, columns: str = ""
) -> Source:
    """Return the source at a path or URL; nothing is read yet.

    Relative audio paths start at `folder`, a path or URL; by default where the input itself lies. With `referenced`, a
    row without a text is not an utterance. `columns` names the fields of rows that have other names, as `--columns`
    does.
    """
    place = str(location)
    remote = is_url(place)
    source = next(source for source in SOURCES if (source.reads_urls or not remote) and source.claims(place))
    if columns and source is NemoJsonl:
        source = JsonLinesFiles
    if not remote:
        place, folder = str(Path(place).absolute()), folder or folder_of(place)
    return source(place, absolute(folder) if folder else "", referenced, columns)


def absolute(folder: str | Path) -> str:
    """Return an absolute path, and a URL as it is."""
    return str(folder) if is_url(folder) else str(Path(folder).absolute())


class CorpusOptions(Protocol):
    """Parameters that say where a corpus is and how it is read."""

    @property
    def manifest(self) -> str: ...

    @property
    def audio_folder(self) -> str | None: ...

    @property
    def referenced(self) -> bool: ...

    @property
    def columns(self) -> str: ...

    @property
    def audio(self) -> AudioOptions: ...


def corpus_of(options: CorpusOptions) -> Source:
    """Return the source that parameters name; what it fetches goes into a cache of the size that they give."""
    AUDIO_CACHE.limit = options.audio.cache_bytes
    return open_source(options.manifest, options.audio_folder, options.referenced, options.columns)


def folder_of(location: str | Path) -> Path:
    """Return the folder where an input lies: itself, if it is one."""
    path = Path(location)
    return path if path.is_dir() else path.parent

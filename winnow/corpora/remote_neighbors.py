"""Remote files whose names follow from those of others: the lists of a folder, and the tars beside manifests.

A web server lists no folders, so these are what it can be asked for.
"""

import json
import re
import tempfile
import uuid
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from winnow.audio.remote.fetch import copy_file
from winnow.audio.remote.stores import StoredFile
from winnow.audio.remote.urls import host_of, join_url, name_of, parent_of
from winnow.corpora import kaldi, lhotse_cuts
from winnow.corpora.audio_folder import LISTS
from winnow.corpora.columnar.arrow import SPLITS, STATE
from winnow.corpora.nemo_names import MANIFEST, SINGLE
from winnow.corpora.remote_files import find_if_there
from winnow.errors import ManifestError

INDEXES = (kaldi.RECORDINGS, STATE, SPLITS, *LISTS)
"""Files that show what a folder is, the first of which counts."""

CUTS = re.compile(r"cuts\..*jsonl(\.gz)?")


def lists_of(folder: str) -> list[StoredFile]:
    """Return the lists in a folder of a web server, and the files that they name; none if it has none."""
    index = next(filter(None, (find_if_there(join_url(folder, name)) for name in INDEXES)), None)
    if index is None:
        return []
    others: list[str] = []
    if name_of(index.url) == kaldi.RECORDINGS:
        others = [kaldi.SEGMENTS, *kaldi.FIELDS]
    if name_of(index.url) == STATE:
        others = data_files(index.url)
    return [index, *filter(None, (find_if_there(join_url(folder, name)) for name in others))]


def data_files(state: str) -> list[str]:
    """Return the names of the files of a saved dataset; none if its state does not say."""
    with tempfile.TemporaryDirectory() as folder:
        copy_file(state, Path(folder) / STATE)
        try:
            files = json.loads((Path(folder) / STATE).read_bytes())["_data_files"]
            return [Path(file["filename"]).name for file in files]
        except (ValueError, LookupError, TypeError):
            return []


def tars_beside(manifest: str, folder: str | None = None) -> Iterator[StoredFile]:
    """Yield the tars of a manifest of NeMo's or of Shar's that are beside it, or in a folder, by their usual names."""
    name, folder = name_of(manifest), folder or parent_of(manifest)
    if SINGLE.fullmatch(name):
        if find_if_there(join_url(folder, f"audio_{uuid.uuid4().hex}.tar")):
            raise ManifestError(
                f"{manifest}: {host_of(manifest)} has a file of any name, so its tar files cannot be counted: give the "
                "manifests of the shards"
            )
        for number in count():
            tar = find_if_there(join_url(folder, f"audio_{number}.tar"))
            if tar is None:
                return
            yield tar
    usual = None
    if shard := MANIFEST.fullmatch(name):
        usual = f"audio_{shard[1]}.tar"
    elif CUTS.fullmatch(name):
        usual = lhotse_cuts.shar_tar(Path(name)).name
    if usual and (tar := find_if_there(join_url(folder, usual))):
        yield tar

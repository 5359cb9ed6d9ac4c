"""Corpora in large tars are split into shards in bounded memory: of each member little is kept, of its audio nothing.

`make soak` has a million members, and prints what they take.
"""

import json
import os
import tarfile
import tracemalloc

import pytest

from winnow.corpora.registry import open_source

MEMBERS, FEW = int(os.environ.get("WINNOW_MEMBERS", "3_000")), 1_000
BYTES_PER_MEMBER = 400 if MEMBERS > 100_000 else 1_000  # blocks that are read weigh more in a small corpus


def header(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def write_nemo_tarred(folder, members):
    """Write a manifest and a tar of members without bytes."""
    with (folder / "audio_0.tar").open("wb") as tar, (folder / "manifest_0.json").open("w") as manifest:
        for number in range(members):
            name = f"speaker-{number % 97}/utterance-{number:09}.wav"
            row = {"audio_filepath": name, "duration": 3.6, "text": f"good morning {number}"}
            tar.write(header(name, 0))
            manifest.write(json.dumps(row) + "\n")
        tar.write(bytes(1024))
    return folder / "manifest_0.json"


def write_webdataset(folder, members):
    """Write a tar of samples of two members, of which the audio has no bytes."""
    with (folder / "train.tar").open("wb") as tar:
        for number in range(members // 2):
            text = json.dumps({"duration": 3.6, "text": f"good morning {number}"}).encode()
            stem = f"speaker-{number % 97}/utterance-{number:09}"
            tar.write(header(f"{stem}.wav", 0) + header(f"{stem}.json", len(text)) + text + bytes(-len(text) % 512))
        tar.write(bytes(1024))
    return folder / "train.tar"


def peak_bytes(write, folder, members):
    """Return how many rows a corpus of so many members has, and the most memory that splitting it takes."""
    folder.mkdir()
    source = open_source(write(folder, members))
    tracemalloc.start()
    try:
        rows = sum(shard.lines for shard in source.shards(1.0))
        return rows, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("write", "row_members"), [(write_nemo_tarred, 1), (write_webdataset, 2)])
def test_a_large_tar_is_split_into_shards_in_bounded_memory(tmp_path, monkeypatch, write, row_members):
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    few, of_few = peak_bytes(write, tmp_path / "few", FEW)
    many, of_many = peak_bytes(write, tmp_path / "many", MEMBERS)
    assert (few, many) == (FEW // row_members, MEMBERS // row_members)
    each = (of_many - of_few) / (MEMBERS - FEW)
    print(f"{MEMBERS:,} members: {each:.0f} bytes each, {of_many / 2**20:.0f} MiB")
    assert each < BYTES_PER_MEMBER

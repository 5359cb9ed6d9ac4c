"""The members of one tar, found by what rows call them."""

import logging
from array import array
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import xxhash

from winnow.audio.measurements import BadAudio
from winnow.audio.places import DAMAGE, Place, parse_place
from winnow.audio.remote.stand_ins import url_of
from winnow.audio.tar_members import DamagedTar, tar_members
from winnow.errors import ManifestError

log = logging.getLogger("winnow")


class TarIndex:
    """Where each member of a tar is: about 150 bytes a member, whatever Python's objects would take.

    `keys` says by which names a member may be asked for; without any, it is not one that rows are about. Raises
    ManifestError if the file is not a tar.
    """

    def __init__(self, tar: Path, folder: str, keys: Callable[[str], Iterable[str]]) -> None:
        self.tar = url_of(tar) or tar
        self._absent: dict[str, str] = {}
        self._container = container_name(tar, folder)
        self._places, self._ends = bytearray(), array("Q", [0])
        hashes, owners = array("Q"), array("Q")
        try:
            for number, place in enumerate(tar_members(str(tar))):
                self._places += str(replace(place, container="")).encode()
                self._ends.append(len(self._places))
                names = list(keys(place.name))
                hashes.extend(map(hash_of, names))
                owners.extend([number] * len(names))
        except DamagedTar as damage:
            log.warning("%s: %s", self.tar, damage_of(tar, damage))
            self._absent = {DAMAGE: str(damage.start)}
        except BadAudio as fault:
            raise not_a_tar(tar, fault.detail) from fault
        order = np.argsort(np.frombuffer(hashes, np.uint64), kind="stable")
        self._hashes, self._owners = np.frombuffer(hashes, np.uint64)[order], np.frombuffer(owners, np.uint64)[order]
        self._found = np.ones(len(self._ends) - 1, bool)
        self._found[self._owners.astype(np.int64)] = False

    def find(self, key: str, unique: bool = False) -> str | None:
        """Return the place of the member with a key: of several the last, as in any tar, or none if `unique`."""
        first, end = (int(np.searchsorted(self._hashes, np.uint64(hash_of(key)), side)) for side in ("left", "right"))
        if first == end or (unique and end - first > 1):
            return None
        self._found[self._owners[first:end].astype(np.int64)] = True
        number = int(self._owners[end - 1])
        return self._places[self._ends[number] : self._ends[number + 1]].decode() + self._container

    def absent(self, name: str) -> str:
        """Return the place of a member that is not there, which says so when it is opened."""
        return str(Place(self._container, "tar", name, self._absent))

    def report_unfound(self) -> None:
        """Log how many members no row asked for."""
        numbers = np.flatnonzero(~self._found)
        if len(numbers):
            first = self._places[self._ends[numbers[0]] : self._ends[numbers[0] + 1]].decode()
            name = parse_place(f"{first}x").name
            log.warning("%s: no row is about %d of its members, such as %s", self.tar, len(numbers), name)


def hash_of(key: str) -> int:
    return xxhash.xxh3_64_intdigest(key.encode(errors="surrogateescape"))


def container_name(tar: Path, folder: str) -> str:
    """Return the path of a tar as rows have it: relative to the corpus's folder if it lies in it, or its URL."""
    return url_of(tar) or (str(tar.relative_to(folder)) if tar.is_relative_to(folder) else str(tar))


def damage_of(tar: Path, damage: DamagedTar) -> str:
    """Say where a tar is damaged. Raises ManifestError if it is not a tar at all."""
    if not damage.is_tar:
        raise not_a_tar(tar, damage.detail)
    return str(damage)


def not_a_tar(tar: Path, detail: str) -> ManifestError:
    return ManifestError(f"{tar}: cannot be read as a tar: {detail}: copy it again, or leave it out")

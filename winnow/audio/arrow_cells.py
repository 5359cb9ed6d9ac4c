"""Audio in the cells of an Arrow file, which is not compressed: each cell is a range of the file's bytes."""

import os
import struct
import zlib
from collections.abc import Iterator

import pyarrow as pa

from winnow.audio.measurements import BadAudio
from winnow.audio.places import Place
from winnow.audio.safe_open import AudioFile


def arrow_cells(cells: pa.Array, container: str, base: int, names: list[str | None]) -> Iterator[Place | None]:
    """Yield the place of each cell of a binary array; None where it is null. No audio is read.

    The array is of a memory map of the container, which begins at the address `base`, and has no offset.
    """
    wide = pa.types.is_large_binary(cells.type)
    width, code = (8, "<qq") if wide else (4, "<ii")
    _, offsets, values = cells.buffers()
    for row, name in enumerate(names):
        if not cells[row].is_valid:
            yield None
            continue
        entry = offsets[row * width : (row + 2) * width].to_pybytes()
        start, end = struct.unpack(code, entry)
        facts = {
            "start": values.address - base + start,
            "size": end - start,
            "entry": offsets.address - base + row * width,
            "header": zlib.crc32(entry),
            "width": width,
        }
        yield Place(container, "arrow", name or "", {fact: str(value) for fact, value in facts.items()})


def open_arrow_cell(file: AudioFile, place: Place) -> AudioFile:
    """Narrow an open Arrow file to a cell.

    Raises BadAudio if the entry that says where its batch has the cell is another than when it was listed.
    """
    entry = file.read_at(2 * place.number("width"), place.number("entry"))
    if zlib.crc32(entry) != place.number("header"):
        raise BadAudio("AUDIO_CHANGED", "the Arrow file was changed after its rows were listed")
    return file.narrow(place.number("start"), place.number("size"), os.path.basename(place.name))  # noqa: PTH119

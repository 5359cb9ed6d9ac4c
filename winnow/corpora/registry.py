"""Forms of input that Winnow reads."""

from pathlib import Path

from winnow.corpora.nemo_jsonl.source import NemoJsonl
from winnow.corpora.source import Source

SOURCES: list[type[Source]] = [
    NemoJsonl,
]
"""The sources, of which the first that claims a location opens it. NeMo's claims everything, and so is the last."""


def open_source(location: str | Path, folder: str | Path | None = None, referenced: bool = True) -> Source:
    """Return the source at a path or URL; nothing is read yet.

    Relative audio paths start at `folder`; by default where the input itself lies. With `referenced`, a row without a
    text is not an utterance.
    """
    source = next(source for source in SOURCES if source.claims(str(location)))
    place = str(location) if "://" in str(location) else str(Path(location).absolute())
    return source(place, str(Path(folder or Path(location).parent).absolute()), referenced)

"""Audio that is fetched: from other machines, or out of files that have it in another form."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from winnow.parameters.redaction import refuse_credentials
from winnow.parameters.settings import Parameters

SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kKMGT])(i?)B?|B)?\s*")
POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def bytes_of(size: str) -> int:
    """Return the bytes of a size such as 20GB, 500 MB or 1GiB. Raises ValueError for anything else, and for 0."""
    if match := SIZE.fullmatch(size):
        number, unit, binary = match.groups()
        total = int(float(number) * (1024 if binary else 1000) ** POWERS[(unit or "").upper()])
        if 0 < total < 2**60:
            return total
    raise ValueError(f"{size!r} is not a size: expected a number with a unit, such as 20GB or 500MB")


def check_size(value: str) -> str:
    bytes_of(value)
    return value


Size = Annotated[str, AfterValidator(refuse_credentials), AfterValidator(check_size)]
"""An amount of memory or disk, as people write it."""


class AudioOptions(Parameters):
    """How audio is fetched that is in no local file."""

    NOT_COMPARED: ClassVar = frozenset(("cache",))

    cache: Size = Field(
        "20GB",
        title="Audio cache",
        description="Size of the folder on each machine for audio that is fetched (~/.cache/winnow/audio, or below "
        "WINNOW_CACHE), such as 500MB or 2TB; what was used longest ago is removed first",
    )

    @property
    def cache_bytes(self) -> int:
        return bytes_of(self.cache)

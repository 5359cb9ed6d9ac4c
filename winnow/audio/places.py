"""Where audio is: in a file, or in an entry of a file that holds the audio of many utterances.

An entry is written as a URL after which its container is named, as fsspec chains them:
`tar://NAME?start=1536&size=20480::/data/audio_0.tar`. Reserved characters of the name are escaped as in any URL.
"""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from winnow.audio.file_names import find_file
from winnow.audio.measurements import BadAudio

ENTRY = re.compile(r"(tar|parquet|arrow)://([^?]*)\?([^:]*)::(.+)", re.DOTALL)
"""An entry: the kind of its container, its name, facts about it, and the container."""


DAMAGE = "damage"
"""The fact of an absent entry that says from which byte on its container cannot be read."""


@dataclass(frozen=True)
class Place:
    """Where the bytes of audio are: in a file, its container, or in an entry of it.

    `kind` and `name` of the entry are empty if the audio is the whole file. `facts` tell where in the container it is.
    """

    container: str
    kind: str = ""
    name: str = ""
    facts: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.kind:
            return self.container
        facts = "&".join(f"{name}={value if value.isalnum() else quote(value)}" for name, value in self.facts.items())
        return f"{self.kind}://{quote(self.name, errors='surrogateescape')}?{facts}::{self.container}"

    @property
    def absent(self) -> bool:
        """Tell whether the entry was not there when its container was listed; a fact may say why."""
        return bool(self.kind) and self.facts.keys() <= {DAMAGE}

    def number(self, fact: str) -> int:
        """Return a fact that is a number. Raises BadAudio if it is not stated."""
        value = self.facts.get(fact, "")
        if not (value.isascii() and value.isdecimal() and len(value) < 19):
            raise BadAudio("NO_AUDIO_PATH", f"{fact} of the {self.kind} entry is not a number")
        return int(value)


def parse_place(path: str) -> Place:
    """Return the place that a row's path names; one that is not written like an entry is that of a file."""
    entry = ENTRY.fullmatch(path)
    if entry is None:
        return Place(path)
    kind, name, facts, container = entry.groups()
    return Place(container, kind, unquote(name, errors="surrogateescape"), parse_facts(facts))


def parse_facts(facts: str) -> dict[str, str]:
    """Return the facts of an entry; a name without a value has an empty one."""
    pairs = (fact.partition("=") for fact in facts.split("&") if fact)
    return {name: unquote(value) for name, _, value in pairs}


def find_audio(path: str) -> str | None:
    """Return the path, or the only one that it can mean if there is no such file; None if there is none or several."""
    place = parse_place(path)
    found = None if place.absent else find_file(place.container)
    return found and str(replace(place, container=found))

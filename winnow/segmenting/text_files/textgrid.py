"""Praat's TextGrid: tiers of intervals with a text, in its long and its short form; and how one is written."""

import re
from collections.abc import Iterable, Iterator, Mapping

from winnow.segmenting.text_files.cues import BadTextFile, Cue, check_times

TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(exists|absent)>|(?<![\w\[])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\]])')
TEXT_TIERS = ("text", "transcript", "transcription", "sentences", "utterances", "segments", "words")
"""Names of tiers that have the text, the best first, where there are several."""

Token = tuple[int, str | float]


def read_textgrid(content: str) -> list[Cue]:
    """Return the intervals with a text, of the only tier with intervals or of one of TEXT_TIERS; raises BadTextFile."""
    tiers = list(tiers_of(content))
    best = next((wanted for wanted in TEXT_TIERS if any(name == wanted for name, _ in tiers)), None)
    chosen = tiers if len(tiers) == 1 else [tier for tier in tiers if tier[0] == best]
    if len(chosen) != 1:
        found = ", ".join(name for name, _ in tiers) or "none"
        raise BadTextFile(
            None, f"expected one tier of intervals, or one called {' or '.join(TEXT_TIERS)}; found: {found}"
        )
    return [cue for cue in chosen[0][1] if cue.text]


def tiers_of(content: str) -> Iterator[tuple[str, list[Cue]]]:
    """Yield each tier of intervals, by its name in small letters."""
    if "ooTextFile" not in content[:200] or "TextGrid" not in content[:400]:
        raise BadTextFile(1, 'expected File type = "ooTextFile" and Object class = "TextGrid"')
    tokens = Tokens(content)
    tokens.text(), tokens.text(), tokens.time(), tokens.time()
    tokens.flag()
    for _ in range(tokens.count()):
        kind, name = tokens.text(), tokens.text()
        tokens.time(), tokens.time()
        count = tokens.count()
        if kind == "IntervalTier":
            yield name.lower(), [tokens.interval() for _ in range(count)]
        else:
            for _ in range(count):
                tokens.time(), tokens.text()


class Tokens:
    """The values of a file, one after the other: the long form names each, the short form does not."""

    def __init__(self, content: str) -> None:
        self.content, self.values, self.line, self.place = content, TOKEN.finditer(content), 1, 0

    def next(self, kind: int, expected: str) -> str:
        match = next(self.values, None)
        if match:
            self.line += self.content.count("\n", self.place, match.start())
            self.place = match.start()
        if match is None or match[kind] is None:
            raise BadTextFile(self.line, f"expected {expected}" + ("" if match else ", got the end of the file"))
        return match[kind]

    def text(self) -> str:
        return self.next(1, "a text in quotes").replace('""', '"')

    def flag(self) -> str:
        return self.next(2, "<exists>")

    def time(self) -> float:
        return float(self.next(3, "a number"))

    def count(self) -> int:
        value = self.time()
        if not value.is_integer() or value < 0:
            raise BadTextFile(self.line, f"expected how many follow, got {value:g}")
        return int(value)

    def interval(self) -> Cue:
        start, end = self.time(), self.time()
        check_times(start, end, self.line)
        return Cue(" ".join(self.text().split()), start, end)


def encode_textgrid(seconds: float, tiers: Mapping[str, Iterable[Cue]]) -> str:
    """Return a TextGrid in its long form; what is between the intervals of a tier has an empty text."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {seconds:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, cues) in enumerate(tiers.items(), 1):
        intervals = filled(list(cues), seconds)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {seconds:.6f}", f"        intervals: size = {len(intervals)}"]
        for place, (start, end, text) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start:.6f}",
                f"            xmax = {end:.6f}",
            ]
            lines += [f"            text = {quoted(text)}"]
    return "\n".join(lines) + "\n"


def filled(cues: list[Cue], seconds: float) -> list[tuple[float, float, str]]:
    """Return intervals from the beginning to the end, without gaps and overlaps, as Praat demands."""
    intervals: list[tuple[float, float, str]] = []
    place = 0.0
    ends = [*(cue.start or 0.0 for cue in cues[1:]), seconds][: len(cues)]
    for cue, following in zip(cues, ends, strict=True):
        start, end = max(place, cue.start or 0.0), min(cue.end or 0.0, max(following, place), seconds)
        if end - start < 1e-6:
            continue
        if start - place >= 1e-6:
            intervals.append((place, start, ""))
        intervals.append((start, end, cue.text))
        place = end
    return [*intervals, (place, seconds, "")] if seconds - place >= 1e-6 or not intervals else intervals


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'

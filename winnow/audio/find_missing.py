"""Which of the first audio files are not there: local ones are looked for, servers are asked few questions at once."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from winnow.audio.measurements import BadAudio
from winnow.audio.places import find_audio, parse_place
from winnow.audio.remote.failures import MayPass, unreadable
from winnow.audio.remote.fetch import VERSIONS, check_root
from winnow.audio.remote.urls import is_url

MOST_URLS = 16  # that servers are asked about, evenly spread
THREADS = 8
PATIENCE = 20.0  # seconds for all answers


@dataclass
class Examination:
    """How many audio files were looked for, and those that are not there, with what a server said."""

    examined: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)

    @property
    def mostly_missing(self) -> bool:
        return len(self.missing) * 2 > self.examined


def find_missing(paths: Sequence[str], root: str | None = None) -> Examination:
    """Look for the audio of some rows; what a slow server does not answer in time counts as there."""
    by_url: dict[str, list[str]] = defaultdict(list)
    result = Examination()
    for path in paths:
        container = parse_place(path).container
        if is_url(container):
            by_url[container].append(path)
        else:
            result.examined += 1
            if find_audio(path) is None:
                result.missing.append((path, "no such file"))
    step = max(1, -(-len(by_url) // MOST_URLS))
    asked = list(by_url)[::step]
    result.examined += len(asked)
    result.missing += [(by_url[url][0], detail) for url, detail in ask(asked, root).items()]
    return result


def ask(urls: Sequence[str], root: str | None) -> dict[str, str]:
    """Return for each file that cannot be fetched what the server said; in threads that end with the process."""
    waiting: SimpleQueue[str] = SimpleQueue()
    answers: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
    for url in urls:
        waiting.put(url)

    def work() -> None:
        while True:
            try:
                url = waiting.get_nowait()
            except Empty:
                return
            answers.put((url, why_missing(url, root)))

    for _ in range(min(THREADS, len(urls))):
        threading.Thread(target=work, daemon=True).start()
    missing = {}
    began = time.monotonic()
    for _ in urls:
        try:
            url, detail = answers.get(timeout=max(0.0, began + PATIENCE - time.monotonic()))
        except Empty:
            break
        if detail:
            missing[url] = detail
    return missing


def why_missing(url: str, root: str | None) -> str | None:
    """Ask once for a file; return why it cannot be fetched."""
    try:
        check_root(url, root)
        VERSIONS.get(url, root)
    except BadAudio as problem:
        return problem.detail
    except MayPass as error:
        return unreadable(url, str(error)).detail
    except Exception as error:
        return type(error).__name__
    return None

"""The second example: curate real speech with Whisper tiny and base, and print how many planted errors were found.

python -m demo.real
"""

import sys
from pathlib import Path

from cli.console import console
from demo.__main__ import HERE, curate_and_report
from demo.real_models import base_model, tiny_model
from demo.real_speech import Recording, shared_speech, sphinx_speech, write_corpus
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.parameters.selection import Route

FOLDER = HERE / "build" / "real"
SEED = 1

GATE, FILTER = Gate(accept_doubt=2.0, reject_doubt=8.0), Filter(max_doubt=3.5)
"""Limits that planted errors showed on the demo corpus (benchmarks/results/policies-cpu.json): of another corpus and
other models, because two dozen rows show none of their own."""


def main() -> None:
    """Curate real speech into demo/build/real/run and print recall and precision."""
    tiny, base = tiny_model(), base_model(FOLDER / "base")
    recordings = shared_speech() or downloaded_speech()
    if not (tiny and base and recordings):
        sys.exit("the models or the recordings are missing: run make real, which downloads them")
    write_corpus(recordings, SEED, FOLDER / "manifest.jsonl")
    curate_and_report(settings_for(recordings, FOLDER / "manifest.jsonl", FOLDER / "run", tiny, base))
    console.print(
        f"{len(recordings)} recordings show that it works, and not how well: of so few errors, one more or less found "
        "is many percent. docs/performance.md has figures over several seeds.",
        soft_wrap=True,
    )


def settings_for(recordings: list[Recording], manifest: Path, output: Path, tiny: str, base: str) -> Curation:
    """Return the parameters: tiny, then base for English, and base alone for all other languages."""
    others = sorted({recording.language for recording in recordings} - {"en"})
    languages = {language: Route(small=base) for language in others}
    return Curation(
        manifest=manifest, output=output, small=tiny, large=base, languages=languages, gate=GATE, filter=FILTER
    )


def downloaded_speech() -> list[Recording]:
    """Return the recordings in pocketsphinx's source distribution, if it was downloaded."""
    archives = sorted(FOLDER.glob("pocketsphinx-*.tar.gz"))
    return sphinx_speech(archives[-1], FOLDER) if archives else []


if __name__ == "__main__":
    main()

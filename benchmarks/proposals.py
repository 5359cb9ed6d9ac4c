"""How many proposals are exactly what was said, and by which limits a text is proposed.

    python -m benchmarks.proposals             # the table of docs/proposals.md
    python -m benchmarks.proposals --choose    # other speech, by which the limits were chosen (needs espeak-ng)

Two models transcribe everything. A fifth of the references of the corpora are wrong; of the other speech, two fifths,
half of them by one word.
"""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import pyarrow as pa

from benchmarks.ensemble import Spoken, other_speech
from benchmarks.scored_corpora import corpora
from demo.__main__ import pinned
from demo.corpus import CORRUPTIONS
from flows.curate import run_curation
from flows.orchestrator import InProcess
from winnow.evidence.proposals import Limits, propose
from winnow.parameters.curation import Curation
from winnow.rules.operands import Operands
from winnow.rules.rule import Rules
from winnow.runs.shard_files import read_table
from winnow.sweep.outcomes import run_stages
from winnow.text.respell import equal_texts

SHARE_WRONG = 0.4
SEED = 5
LIMITS = product((0.0, 1.0, 2.0, 4.0), (0.05, 0.1, 0.2, 0.3))


class Transcribed(NamedTuple):
    """The scored rows of a corpus, and what was said in each."""

    rows: pa.Table
    said: list[str]


def transcribe(spoken: list[Spoken], references: list[str], small: str, large: str) -> Transcribed:
    """Have both models transcribe all utterances, and score the references."""
    with tempfile.TemporaryDirectory() as folder:
        manifest, run = Path(folder) / "corpus.jsonl", Path(folder) / "run"
        pairs = zip(spoken, references, strict=True)
        lines = [{"audio_filepath": str(utterance.path), "text": text} for utterance, text in pairs]
        manifest.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        settings = Curation(
            manifest=manifest,
            output=str(run),
            small=small,
            large=large,
            gate={"preset": "everything"},
            devices="inline",
        )
        run_curation(settings, InProcess())
        rows = pa.concat_tables([read_table(file) for file in run_stages(run)["score"]])
    return Transcribed(rows, [utterance.text for utterance in spoken])


def proposals(corpus: Transcribed, limits: Limits) -> dict[str, int]:
    """Count proposals and those that are exactly what was said, also of wrong references only."""
    read = Operands(corpus.rows, Rules(rules=())).read
    pairs = zip(propose(corpus.rows, read, "basic", limits), corpus.said, strict=True)
    right = [proposal and equal_texts(proposal.text, said, "basic") for proposal, said in pairs]
    texts = zip(corpus.rows["text"].to_pylist(), corpus.said, strict=True)
    wrong = sum(not equal_texts(text, said, "basic") for text, said in texts)
    made = [outcome for outcome in right if outcome is not None]
    return {"utterances": len(right), "wrong references": wrong, "proposals": len(made), "what was said": sum(made)}


def with_wrong_references(spoken: list[Spoken]) -> list[str]:
    """Return the texts of utterances, SHARE_WRONG of them changed: as the demo's are, or by one word."""
    pick, texts = Random(SEED), [utterance.text for utterance in spoken]
    changes = [*CORRUPTIONS.values(), *[one_word] * len(CORRUPTIONS)]
    references = []
    for i, text in enumerate(texts):
        words = text.split()
        if len(words) > 1 and pick.random() < SHARE_WRONG:
            words = pick.choice(changes)(words, pick, texts[:i] + texts[i + 1 :])
        references.append(" ".join(words))
    return references


def one_word(words: list[str], pick: Random, other_texts: list[str]) -> list[str]:
    """Replace a word by one of another text, leave it out, or put one in before it."""
    at, other = pick.randrange(len(words)), pick.choice(pick.choice(other_texts).split())
    return words[:at] + pick.choice([[other], [], [other, words[at]]]) + words[at + 1 :]


def choose() -> Iterator[list[str]]:
    """Yield the proposals on other speech by both limits, for the demo's models and for two weak ones."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = list(other_speech(Path(folder)))
        texts = with_wrong_references(spoken)
        pairs = {"small and large": ("small", "large"), "small and third": ("small", "third")}
        found = {name: transcribe(spoken, texts, *map(pinned, models)) for name, models in pairs.items()}
    yield ["doubt at least", "uncertainty at most", *found]
    for limits in (Limits(*values) for values in LIMITS):
        counts = [proposals(corpus, limits) for corpus in found.values()]
        yield [f"{limit:g}" for limit in limits] + [f"{row['what was said']} of {row['proposals']}" for row in counts]


def measure() -> Iterator[list[str]]:
    """Yield the proposals of each corpus."""
    with tempfile.TemporaryDirectory() as folder:
        for number, corpus in enumerate(corpora(Path(folder))):
            counts = proposals(transcribe(corpus.spoken, corpus.references, **corpus.models), Limits())
            if not number:
                yield ["", *counts]
            yield [corpus.name, *(f"{count}" for count in counts.values())]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choose", action="store_true", help="measure the limits on other speech")
    for number, row in enumerate(choose() if parser.parse_args().choose else measure()):
        print(f"| {' | '.join(row)} |")
        if not number:
            print(f"|{'---|' * len(row)}")

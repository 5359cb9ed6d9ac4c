"""How well policies separate good references from bad ones, and how much audio the large model transcribes for that.

    python -m benchmarks.policies                # the tables of README.md
    python -m benchmarks.policies --json FILE    # the rows for machines

Both models transcribe each corpus once; their hypotheses are then judged by every policy. Limits are chosen on the
utterances with even numbers (by F1, then by cost), and the figures are those of the others. A budget is for all
utterances, since its gate knows the hypotheses but not what was said.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.ensemble import Spoken, add_noise, demo_speech
from demo.__main__ import pinned
from demo.corpus import CORPUS
from winnow.engines.engine import Request
from winnow.engines.isolation import transcribe_here
from winnow.gates.budget import BudgetRows, best_band
from winnow.gates.sampling import Flags, Numbers, draw_numbers, sample_share
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions
from winnow.parameters.gate import GATE_PRESETS
from winnow.text.hypothesis import Hypothesis
from winnow.text.metrics import compare_texts
from winnow.text.normalize import normalize
from winnow.text.rover import VoteWeights, rover

SPEECH = Path(__file__).parent.parent.parent / "shared" / "speech"
LIMIT = 0.25
AUDIT = 0.005
LIMITS = (0.05, 0.1, 0.15, 0.2, LIMIT, 0.3, 0.35, 0.4, 0.5)
REJECTS = (0.5, 0.8, 1.05, 1.5)


@dataclass(frozen=True)
class Evidence:
    """The number, seconds and WERs of each utterance, and whether its reference is what was said."""

    ids: Numbers
    seconds: Numbers
    good: Flags
    small: Numbers
    large: Numbers
    voted: Numbers

    def only(self, rows: Flags) -> "Evidence":
        """Return some of the utterances."""
        return Evidence(*(getattr(self, field.name)[rows] for field in fields(self)))


Policy = Callable[..., tuple[Flags, Flags]]
"""Takes the evidence and limits; returns what is kept and what the large model transcribes."""


def single_model(name: str) -> Policy:
    """Keep utterances by one model's hypothesis of everything."""
    return lambda rows, limit: (getattr(rows, name) <= limit, np.full(len(rows.ids), name != "small"))


def guide(rows: Evidence, limit: float) -> tuple[Flags, Flags]:
    transcribed = rows.small <= GATE_PRESETS["guide"].reject
    return transcribed & (rows.large <= limit), transcribed


def bands(rows: Evidence, accept: float, reject: float, limit: float) -> tuple[Flags, Flags]:
    transcribed = (rows.small > accept) & (rows.small <= reject)
    return np.where(transcribed, rows.large <= limit, rows.small <= min(accept, limit)), transcribed


def budget(share: float) -> Policy:
    def spend(rows: Evidence, limit: float) -> tuple[Flags, Flags]:
        drawn, seconds = draw_numbers(pa.array(rows.ids.astype(int))), share * float(rows.seconds.sum())
        wanted = (rows.small > limit) | (drawn < AUDIT)
        sampled = wanted & (drawn < sample_share(drawn, wanted, rows.seconds, seconds))
        rescued = sampled & (rows.small > limit) & (rows.large <= limit)
        band = best_band(BudgetRows(rows.small, rows.seconds, sampled, rescued), limit, seconds, limit)
        kept, transcribed = bands(rows, *band, limit)
        return kept, transcribed | sampled

    return spend


POLICIES: dict[str, tuple[Policy, list[tuple[float, ...]]]] = {
    "small only": (single_model("small"), [(limit,) for limit in LIMITS]),
    "large only": (single_model("large"), [(limit,) for limit in LIMITS]),
    "the guide's cascade": (guide, [(limit,) for limit in LIMITS]),
    "bands, by default": (bands, [(GATE_PRESETS["bands"].accept, GATE_PRESETS["bands"].reject, LIMIT)]),
    "bands, chosen": (bands, [(a, r, t) for a, r, t in product(LIMITS, REJECTS, LIMITS) if a <= t]),
    "budget of 20%": (budget(0.2), [(limit,) for limit in LIMITS]),
    "budget of 40%": (budget(0.4), [(limit,) for limit in LIMITS]),
    "ROVER of both": (single_model("voted"), [(limit,) for limit in LIMITS]),
}


@dataclass(frozen=True)
class Figures:
    """What a policy keeps of a corpus whose wrong references are known, and what it costs."""

    precision: float
    recall: float
    bad_kept: int
    bad: int
    cost: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def figures(rows: Evidence, kept: Flags, transcribed: Flags) -> Figures:
    right = int((kept & rows.good).sum())
    return Figures(
        precision=right / max(int(kept.sum()), 1),
        recall=right / int(rows.good.sum()),
        bad_kept=int((kept & ~rows.good).sum()),
        bad=int((~rows.good).sum()),
        cost=float(rows.seconds[transcribed].sum() / rows.seconds.sum()),
    )


def measure_policy(policy: Policy, limits: tuple[float, ...], rows: Evidence, some: Flags) -> Figures:
    kept, transcribed = policy(rows, *limits)
    return figures(rows.only(some), kept[some], transcribed[some])


def choose_limits(policy: Policy, choices: list[tuple[float, ...]], rows: Evidence, some: Flags) -> tuple[float, ...]:
    """Return the limits with the highest F1; of equals the cheapest, then those closest to the defaults."""

    def worth(limits: tuple[float, ...]) -> tuple[float, float, float]:
        outcome = measure_policy(policy, limits, rows, some)
        return round(outcome.f1, 6), -round(outcome.cost, 6), -sum(abs(limit - LIMIT) for limit in limits)

    return max(choices, key=worth)


def corpora(folder: Path) -> Iterator[tuple[str, Evidence]]:
    """Yield the demo corpus, the same in more noise, and real digits with their own models if they exist."""
    models = {name: pinned(name) for name in ("small", "large")}
    references_by_file = {
        line["audio_filepath"]: line["text"] for line in map(json.loads, undamaged_lines(CORPUS / "manifest.jsonl"))
    }
    spoken = demo_speech()
    texts = [references_by_file[str(utterance.path.relative_to(CORPUS))] for utterance in spoken]
    yield "demo corpus", evidence(spoken, texts, models)
    yield "demo corpus in noise", evidence(list(add_noise(spoken, folder)), texts, models)
    if SPEECH.exists():
        rows = [json.loads(line) for line in (SPEECH / "manifest.jsonl").read_text().splitlines()]
        digits = [Spoken(row["true_text"], SPEECH / row["audio_filepath"], 0.0) for row in rows]
        own = {name: str(SPEECH / f"digits-{name}.nemo") for name in models}
        yield "spoken digits", evidence(digits, [row["text"] for row in rows], own)


def undamaged_lines(manifest: Path) -> list[str]:
    """Return the lines of undamaged utterances."""
    lines = manifest.read_text().splitlines()
    return [line for line in lines if line.startswith('{"audio_filepath": "audio/') and line.endswith("}")]


def evidence(spoken: list[Spoken], references: list[str], models: dict[str, str]) -> Evidence:
    requests = [Request(str(result.path), None, None) for result in spoken]
    results = [
        transcribe_here(resolve(name, trust_unpinned=True), EngineOptions(), requests)[0] for name in models.values()
    ]
    hypotheses = [[result.hypothesis or Hypothesis("") for result in row] for row in zip(*results, strict=True)]
    voted = [rover(row, "basic", VoteWeights()).text for row in hypotheses]
    texts = {"small": [row[0].text for row in hypotheses], "large": [row[1].text for row in hypotheses], "voted": voted}
    return Evidence(
        ids=np.arange(1.0, len(spoken) + 1),
        seconds=np.array([result.stats.seconds if result.stats else 0.0 for result in results[0]]),
        good=np.array([result.text == text for result, text in zip(spoken, references, strict=True)]),
        **{name: rates(references, outcome) for name, outcome in texts.items()},
    )


def rates(references: list[str], texts: list[str]) -> Numbers:
    pairs = ((normalize(a, "basic"), normalize(b, "basic")) for a, b in zip(references, texts, strict=True))
    return np.array([outcome.wer if (outcome := compare_texts(*pair)) else np.nan for pair in pairs])


def compare() -> Iterator[dict[str, Any]]:
    """Yield a row for each policy and corpus."""
    with tempfile.TemporaryDirectory() as folder:
        for corpus, rows in corpora(Path(folder)):
            even = rows.ids % 2 == 0
            for name, (policy, choices) in POLICIES.items():
                limits = choose_limits(policy, choices, rows, even)
                outcome = figures_row(measure_policy(policy, limits, rows, ~even))
                yield {"corpus": corpus, "policy": name, "limits": limits} | outcome


def figures_row(outcome: Figures) -> dict[str, Any]:
    return {"precision": outcome.precision, "recall": outcome.recall, "f1": outcome.f1} | {
        "bad_kept": f"{outcome.bad_kept} of {outcome.bad}",
        "cost": outcome.cost,
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    head = ["", "Limits", "Precision", "Recall", "F1", "Bad kept", "Large model"]
    lines = []
    for row in rows:
        limits = " / ".join(f"{limit:g}" for limit in row["limits"])
        rates = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        lines.append([row["policy"], limits, *rates, row["bad_kept"], f"{row['cost']:.0%}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    rows = list(compare())
    for corpus in dict.fromkeys(row["corpus"] for row in rows):
        print(f"{corpus}\n\n{markdown([row for row in rows if row['corpus'] == corpus])}\n")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")

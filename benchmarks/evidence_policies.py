"""Policies that judge references by their doubt, with the limits that a run finds by planted errors and no label."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.scored_corpora import JUDGED_SEED, ScoredCorpus
from benchmarks.wer_policies import LIMIT, figures
from tasks.calibrate import choose_bands
from winnow.evidence.calibration import Calibration, calibrate
from winnow.evidence.gather import gather_evidence
from winnow.evidence.planting import ONE_WORD
from winnow.gates.bands import assign_bands
from winnow.gates.criteria import Gates
from winnow.gates.sampling import Flags, Numbers, is_drawn
from winnow.parameters.curation import Curation
from winnow.parameters.filter import Filter
from winnow.parameters.gate import Gate
from winnow.roles import Role
from winnow.runs.evidence import escalated_bands, escalated_seconds

LOSES = (0.005, 0.02)
DEFAULT_GATE = Gate()
AUDITS = (0.0, 0.005, 0.01, 0.02)
"""Shares of what the gate accepts or rejects that the large model reads as well."""


@dataclass(frozen=True)
class Limits:
    """The limits that a run would have: of its gate, if there is a larger model, and of each model that decides."""

    calibration: Calibration
    gates: Gates | None = None

    def keeps(self, texts: pa.Table) -> Flags:
        """Tell which texts would be kept as references."""
        supported = {role: is_supported(texts, role, limit) for role, limit in self.calibration.limits.items()}
        first, *larger = supported
        if not larger or self.gates is None:
            return supported[first]
        bands = assign_bands(texts, first, self.gates).to_numpy(zero_copy_only=False)
        escalated = bands == "escalate"
        return np.where(escalated, supported[larger[0]], (bands == "accept") & supported[first])

    def reads(self, references: pa.Table) -> Flags:
        """Tell which utterances the large model reads."""
        if self.gates is None:
            return np.zeros(len(references), bool)
        escalated = pc.equal(assign_bands(references, "small", self.gates), "escalate")
        drawn = is_drawn(references["id"], self.gates.audit)
        return np.asarray(pc.or_(escalated, drawn), bool)

    def describe(self) -> str:
        """Return the limits of doubt: those of the gate, and of the model that decides."""
        *_, limit = self.calibration.limits.values()
        band = [*escalated_bands(self.gates)[None]] if self.gates else []
        return " / ".join(f"{value:.3g}" for value in [*band, limit])


def is_supported(texts: pa.Table, role: Role, limit: float) -> Flags:
    """Tell whether the doubt of texts is within a model's limit; where there is no doubt, whether their WER is."""
    by_doubt, by_wer = (
        pc.less_equal(texts[f"{role}_{name}"], most) for name, most in (("doubt", limit), ("wer", LIMIT))
    )
    return np.asarray(pc.coalesce(by_doubt, by_wer), bool)


def alone(corpus: ScoredCorpus, role: Role, lose: float) -> Limits:
    """Return the limit of a model that reads everything and decides alone."""
    return Limits(calibrate({role: gather_evidence([corpus.references], role)}, None, lose))


def cascade(corpus: ScoredCorpus, lose: float, gate: Gate = DEFAULT_GATE) -> Limits:
    """Return the limits of a run of both models, in which the large one scores only what it reads."""
    settings = Curation(
        manifest=Path("manifest.jsonl"), output="out", small="small", large="large", filter=Filter(lose=lose), gate=gate
    )
    small = gather_evidence([corpus.references], "small")
    spent = escalated_seconds(corpus.references, settings.gates_after_small)
    gates = choose_bands(small, settings, spent)
    read = Limits(Calibration(lose=lose, models={}), gates).reads(corpus.references)
    at = corpus.references.schema.get_field_index("large_doubt")
    seen = pc.if_else(pa.array(read), corpus.references["large_doubt"], None)
    large = gather_evidence([corpus.references.set_column(at, "large_doubt", seen)], "large")
    return Limits(calibrate({"small": small, "large": large}, escalated_bands(gates)[None], lose), gates)


def compare_by_evidence(corpus: ScoredCorpus) -> Iterator[dict[str, Any]]:
    """Yield a row for each policy and share that may be lost; labels only judge, so all utterances are judged."""
    for lose in LOSES:
        policies = {
            "small only": alone(corpus, "small", lose),
            "bands": cascade(corpus, lose),
            "large only": alone(corpus, "large", lose),
        }
        for name, limits in policies.items():
            read = limits.reads(corpus.references) | (name == "large only")
            outcome = figures(
                corpus.references["duration"].to_numpy(), corpus.good, limits.keeps(corpus.references), read
            )
            facts = {"corpus": corpus.name, "policy": f"{name} by evidence, lose {lose:g}", "limits": limits.describe()}
            yield facts | outcome.row()


def compare_one_word(corpus: ScoredCorpus, lose: float = 0.02) -> Iterator[dict[str, Any]]:
    """Yield what is found of errors that no run plants, at the limits of a run, and by WER where it loses as much."""
    for name, limits in {"small only": alone(corpus, "small", lose), "bands": cascade(corpus, lose)}.items():
        keeps = limits.keeps(corpus.said)
        lost = float((~keeps).mean())
        found = {kind: float((~limits.keeps(errors)).mean()) for kind, errors in corpus.errors.items()}
        promised = {kind: limits.calibration.found[kind].found for kind in found}
        read = limits.reads(corpus.references)
        seconds = corpus.references["duration"].to_numpy()
        cost = float(seconds[read].sum() / seconds.sum())
        yield {"corpus": corpus.name, "policy": f"{name} by evidence", "limits": limits.describe(), "lost": lost} | {
            "lost_promised": limits.calibration.lost,
            "right": float(corpus.good.mean()),
            "right_promised": limits.calibration.models["small"].right,
            "cost": cost,
            "found": found,
            "promised": promised,
        }
        role: Role = "small" if name == "small only" else "large"
        limit = wer_limit(corpus.said[f"{role}_wer"].to_numpy(), lost)
        found = {
            kind: float((errors[f"{role}_wer"].to_numpy() > limit).mean()) for kind, errors in corpus.errors.items()
        }
        lost_by_wer = float((corpus.said[f"{role}_wer"].to_numpy() > limit).mean())
        yield {
            "corpus": corpus.name,
            "policy": f"{role} only by WER",
            "limits": f"{limit:.3g}",
            "lost": lost_by_wer,
        } | {
            "cost": float(role != "small"),
            "found": found,
        }


def compare_audits(corpus: ScoredCorpus, draws: int = 8) -> Iterator[list[str]]:
    """Yield for each share that is audited what a run finds of errors of one word, and how far off its promise is.

    The audits are drawn several times, since they are few.
    """
    yield ["audited", *(f"{kind}: {figure}" for kind in ONE_WORD for figure in ("found", "promised", "off by"))]
    column = corpus.references.schema.get_field_index("id")
    for audit in AUDITS:
        rates: dict[str, list[tuple[float, float]]] = {kind: [] for kind in ONE_WORD}
        for number in range(draws):
            ids = pa.array(corpus.references["id"].to_numpy() + number * JUDGED_SEED)
            drawn = replace(corpus, references=corpus.references.set_column(column, "id", ids))
            limits = cascade(drawn, 0.02, Gate(audit=audit))
            for kind, pairs in rates.items():
                found = float((~limits.keeps(corpus.errors[kind])).mean())
                pairs.append((found, limits.calibration.found[kind].found))
        cells = []
        for found, promised in (np.array(pairs).T for pairs in rates.values()):
            off = np.sqrt(((promised - found) ** 2).mean())
            cells += [f"{share:.1%}" for share in (found.mean(), promised.mean(), off)]
        yield [f"{audit:.1%}", *cells]


def wer_limit(wers: Numbers, lost: float) -> float:
    """Return the lowest WER above which at most this share (0 to 1) of right texts is."""
    return float(next(limit for limit in np.unique(wers) if (wers > limit).mean() <= lost))

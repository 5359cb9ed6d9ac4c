"""The figures of an ensemble's report: how good each model is alone, and how far they agree."""

import pyarrow as pa
import pyarrow.compute as pc

from tasks.panel import Ensemble
from tasks.quality import Agreement, Level, Report, counts, distribution
from tasks.schema import Manifest, Role
from tasks.shares import hours, only
from tasks.speeds import Speed

LEVELS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


def assess_ensemble(rows: pa.Table, manifest: Manifest, speed: dict[Role, Speed], settings: Ensemble) -> Report:
    """The report over all judged rows of an ensemble; raises if they are not the manifest's lines, each once."""
    heard = rows.filter(pc.not_equal(rows["decision"], "quarantine"))
    rates = {"all": distribution(heard), "kept": distribution(only(rows, "decision", "keep"))}
    return Report(
        **counts(rows, manifest, settings.filter),
        wer=rates | {role: distribution(heard, role) for role in speed},
        agreement=agreement(heard),
        speed=speed,
    )


def agreement(heard: pa.Table) -> Agreement:
    found = heard["agreement"].drop_null()
    return Agreement(
        mean=pc.mean(found).as_py(),
        median=pc.quantile(found, 0.5)[0].as_py(),
        levels=[level(heard, at_least) for at_least in LEVELS],
    )


def level(heard: pa.Table, at_least: float) -> Level:
    rows = heard.filter(pc.fill_null(pc.greater_equal(heard["agreement"], at_least), False))
    return Level(at_least=at_least, utterances=len(rows), hours=hours(rows), wer=pc.mean(rows["wer"]).as_py())

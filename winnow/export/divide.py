"""Divide the kept rows of a run into planned shards in the export's folder, unless that was done before."""

from dataclasses import dataclass
from pathlib import Path

from winnow.corpora.registry import open_source
from winnow.export.leakage import read_evaluation_sets, rows_with_samples
from winnow.export.plan import make_plan
from winnow.export.rows import MANIFEST, check_manifest
from winnow.export.splits import SplitCost
from winnow.parameters.export import Export
from winnow.rules.field_names import is_reserved
from winnow.runs import ledger
from winnow.runs.run_record import load_settings
from winnow.runs.shard_files import read_schema, store_table
from winnow.runs.storage import location
from winnow.schema import INPUT_TEXT

OUTPUT_COLUMNS = ("id", "pred_text", "wer", "model", "confidence", "agreement", INPUT_TEXT)
"""Winnow's own columns in a run's manifest, besides those of every manifest."""


@dataclass(frozen=True)
class Division:
    """The planned shards, the table LEFT_OUT, how many rows the run kept, and what the split cost.

    `not_compared` counts utterances of evaluation sets whose audio cannot be read.
    """

    shards: list[Path]
    left_out: Path
    rows: int
    not_compared: int
    cost: SplitCost | None


def input_digests_of(settings: Export) -> dict[str, str]:
    """Return the sha256 of all that an export reads, besides the audio.

    Raises OutputError for a run that is not complete, and ManifestError for an evaluation set that cannot be read.
    """
    digests = {MANIFEST: check_manifest(location(settings.run))}
    return digests | {f"against {corpus.absolute()}": open_source(corpus).digest() for corpus in settings.against}


def divide(output: Path, settings: Export, digest: str) -> Division:
    """Plan an export and commit a table for each shard."""
    key = ledger.key_of("divide", digest)
    if (record := ledger.find_record(output, key)) is None:
        run = location(settings.run)
        normalizer = load_settings(run).normalizer
        sets = read_evaluation_sets(settings.against, normalizer) if settings.against else None
        same = rows_with_samples(run, sets.samples) if sets else frozenset()
        plan = make_plan(run, settings, normalizer, sets, same)
        folder = output / ledger.STAGES / "divide"
        files = [store_table(folder, f"{number:05d}", table) for number, table in enumerate(plan.shards)]
        files.append(store_table(output / ledger.STAGES / "left-out", "00000", plan.left_out))
        facts = {
            "rows": plan.rows,
            "not_compared": sets.unreadable if sets else 0,
            "cost": plan.cost and plan.cost.to_dict(),
        }
        record = ledger.commit(output, key, files, stage="divide", shard="all", **facts)
    names = sorted(record["files"])
    (left_out,) = (output / name for name in names if name.startswith(f"{ledger.STAGES}/left-out/"))
    shards = [output / name for name in names if name.startswith(f"{ledger.STAGES}/divide/")]
    cost = SplitCost(**record["cost"]) if record["cost"] else None
    return Division(shards, left_out, record["rows"], record["not_compared"], cost)


def columns_of_run(run: Path) -> list[tuple[str, str]]:
    """Return the fields of the run's manifest with their Arrow types, as its table of kept rows has them."""
    files = [file for file in ledger.files_by_stage(run)["publish"] if file.parent.name == "data"]
    schema = read_schema(files[0])
    fields = [name for name in schema.names if not is_reserved(name) and name not in OUTPUT_COLUMNS]
    names = [*fields, *(name for name in OUTPUT_COLUMNS if name in schema.names)]
    return [(name, str(schema.field(name).type)) for name in names]

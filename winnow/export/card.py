"""The card of an exported dataset: its parts, how it was made, by which rules and models, and by which command."""

import shlex
from importlib.metadata import version

import msgspec

from winnow.export.form import ExportContext
from winnow.models.catalog import open_catalog
from winnow.parameters.ensemble import Settings
from winnow.parameters.export import Export
from winnow.parameters.settings import default_of, flag
from winnow.reports.summary import Report
from winnow.runs.completion import read_report
from winnow.runs.run_record import load_settings
from winnow.runs.storage import location

SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M"}
"""The hub's categories, by the number of rows that they end at."""


def dataset_card(context: ExportContext, languages: list[str]) -> str:
    """Return the card in Markdown, with what the hub and `datasets` read at its head."""
    run = location(context.settings.run)
    settings, report = load_settings(run), Report.model_validate_json(read_report(run))
    return "\n".join(
        [
            *front_matter(context, languages),
            "# Dataset",
            "",
            f"Speech and transcripts, curated and exported by Winnow {version('winnow')}.",
            "",
            *parts_section(context),
            *curation_section(settings, report),
            *models_section(settings),
            "## Command",
            "",
            f"    {command_of(context.settings)}",
            "",
        ]
    )


def front_matter(context: ExportContext, languages: list[str]) -> list[str]:
    """Return the YAML block: which files belong to which split, and what the hub searches by."""
    assert context.report is not None
    rows = context.report.exported
    size = next((name for most, name in SIZES.items() if rows < most), "n>10M")
    splits = [name if context.settings.split else "train" for name in context.report.parts]
    files = [line for name in splits for line in (f"      - split: {name}", f"        path: data/{name}-*.parquet")]
    tongues = ["language:", *(f"  - {msgspec.json.encode(name).decode()}" for name in languages)] if languages else []
    return [
        "---",
        "configs:",
        "  - config_name: default",
        "    data_files:",
        *files,
        *tongues,
        "task_categories:",
        "  - automatic-speech-recognition",
        "size_categories:",
        f"  - {size}",
        "---",
        "",
    ]


def parts_section(context: ExportContext) -> list[str]:
    """Describe the parts, what they keep apart, and what was left out."""
    report = context.report
    assert report is not None
    parts = report.parts.items()
    rows = [f"| {name} | {part.utterances:,} | {part.hours:.3f} | {part.share:.2%} |" for name, part in parts]
    lines = ["## Parts", "", "| part | utterances | hours | share of the hours |", "|---|---:|---:|---:|", *rows, ""]
    if report.largest_share is not None and context.settings.apart:
        apart = context.settings.apart.replace(",", " and no ")
        lines += [
            f"No {apart} is in two parts. {report.components:,} groups of utterances had to stay together; the largest "
            f"has {report.largest_share:.1%} of the hours.",
            "",
        ]
    if report.left_out:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.left_out.items())
        lines += [f"Of {report.kept:,} utterances that the run kept, some were left out: {reasons}.", ""]
    return lines


def curation_section(settings: Settings, report: Report) -> list[str]:
    """Describe what the run kept and dropped, and by which rules."""
    dropped = [f"| {reason} | {count.utterances:,} |" for reason, count in report.reasons.items()]
    return [
        "## Curation",
        "",
        f"{report.kept:,} of {report.utterances:,} utterances were kept ({report.kept_hours:.3f} of {report.hours:.3f} "
        f"hours), {report.dropped:,} were dropped by rules and {report.quarantined:,} could not be judged.",
        "",
        *(["| reason | utterances |", "|---|---:|", *dropped, ""] if dropped else []),
        "Rules:",
        "",
        *(f"- `{rule}`" for rule in settings.filter.active_rules),
        "",
    ]


def models_section(settings: Settings) -> list[str]:
    """Name the models and, where the catalogue knows them, their licences."""
    catalog = open_catalog()
    lines = []
    for role, name in settings.models_by_role.items():
        if name:
            model = catalog.find(name)
            licence = model.licence if model and model.licence else "unknown to the catalogue"
            lines.append(f"| {role} | {model.name if model else name.rpartition('/')[2]} | {licence} |")
    note = "The licence of the speech and its texts is that of the corpus, which Winnow does not know."
    return ["## Models", "", "| role | model | licence |", "|---|---|---|", *lines, "", note, ""]


def command_of(settings: Export) -> str:
    """Return the command of the export, without the folders of this machine."""
    words = ["winnow", "export", "RUN", "--form", settings.form, "--output", "FOLDER"]
    for name in Export.model_fields:
        value = getattr(settings, name)
        if name in ("run", "form", "output", "push") or value == default_of(settings, name):
            continue
        given = [path.name for path in value] if name == "against" else [] if value is True else [str(value)]
        words += [flag(name), *given]
    return shlex.join(words)

"""Generate the pages that follow from the code: `python -m docs.generate` writes all of them."""

import json
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from cli.app import app
from winnow.audio.measurements import MEASUREMENTS
from winnow.listening.registry import MEASURES, columns_of
from winnow.reports.summary import Report
from winnow.rules.columns import NOT_IN_RULES
from winnow.schema import (
    AGREEMENT,
    AUDIO_STATS,
    DECISION,
    HEARD_TYPES,
    HYPOTHESIS,
    INPUT_TEXT,
    MENDINGS,
    QUARANTINE_REASONS,
    REVIEW,
    SCORES,
    UTTERANCE,
)
from winnow.text.equalities import CHOICES, Choice
from winnow.text.evidence import NO_EVIDENCE
from winnow.text.metrics import METRICS

DOCS = Path(__file__).parent
COMMANDS = (
    *("curate", "ensemble", "incremental", "resume", "verify", "refilter", "relabel", "export", "sweep", "diff"),
    "presets",
    "segment",
    "review",
    *("peek", "models", "models show", "models choose", "download-models", "doctor", "benchmark", "deploy", "serve"),
)

Row = tuple[str, str, str]


def parameters_page() -> str:
    """Return the page with every flag of every command."""
    curate = list(parameters_of("curate"))
    parts = [PARAMETERS_INTRODUCTION, *command_section("curate", curate)]
    for command in COMMANDS[1:]:
        rows = list(parameters_of(command))
        if rows == curate:
            parts += [*heading(command), "The parameters are those of [`winnow curate`](#winnow-curate)."]
        elif shared := [row for row in rows if row in curate] if command == "ensemble" else []:
            missing = sorted({group(row) for row in curate} - {group(row) for row in rows})
            names = ", ".join(f"`--{name}`" for name in missing)
            parts += [*command_section(command, [row for row in rows if row not in shared])]
            parts += [f"All other parameters are those of [`winnow curate`](#winnow-curate), except {names}."]
        else:
            parts += command_section(command, rows)
    return page(parts)


def command_section(command: str, rows: list[Row]) -> list[str]:
    table = markdown_table(("parameter", "default", ""), rows) if rows else "It has no parameters."
    return [*heading(command), table]


def heading(command: str) -> list[str]:
    return [f"## winnow {command}", summary(command)]


def summary(command: str) -> str:
    """Return what a command does, in the first sentence of its help."""
    shown = app_of(command)
    text = shown.help or (shown.default_command.__doc__ if shown.default_command else "") or ""
    return " ".join(text.strip().split("\n\n")[0].split())


def app_of(command: str) -> Any:
    current: Any = app
    for word in command.split():
        current = current[word]
    return current


def parameters_of(command: str) -> Iterator[Row]:
    """Yield name, default and description of each parameter, in the order of the help."""
    for argument in app_of(command).assemble_argument_collection(parse_docstring=True):
        if argument.show:
            name = argument.names[0]
            is_argument = argument.index is not None
            shown = name.removeprefix("--").replace("-", "_").upper() if is_argument else name
            yield f"`{shown}`", default_of(argument), argument.parameter.help or ""


def default_of(argument: Any) -> str:
    default = argument.field_info.default
    if argument.required:
        return "required"
    if default in (None, (), [], {}) or not isinstance(default, str | int | float):
        return ""
    return f"`{default}`"


def group(row: Row) -> str:
    """Return the flag of a row without what follows its dot."""
    return row[0].strip("`").removeprefix("--").partition(".")[0]


def columns_page() -> str:
    """Return the page with every column of the output."""
    parts = [COLUMNS_INTRODUCTION]
    for title, text, columns in COLUMN_SECTIONS:
        rows = [(f"`{name}`", type_name(kind), describe(name)) for name, kind in columns]
        parts += [f"## {title}", text, markdown_table(("column", "type", ""), rows)]
    for title, text, column, meanings in (
        ("Reasons for quarantine", REASONS, "reason", QUARANTINE_REASONS),
        ("Mended rows", MENDED, "mended", MENDINGS),
    ):
        rows_of_meanings = [(f"`{name}`", meaning) for name, meaning in sorted(meanings.items())]
        parts += [f"## {title}", text, markdown_table((column, ""), rows_of_meanings)]
    return page(parts)


def normalization_page() -> str:
    """Return the page with every choice of the normalizer `basic`."""
    rows = [
        (choice.what, languages_of(choice), show(choice.equal), show(choice.different), choice.remark)
        for choice in CHOICES
    ]
    return page([NORMALIZATION_INTRODUCTION, markdown_table(("difference", "`lang`", "equal", "not equal", ""), rows)])


def report_schema() -> str:
    """Return the JSON schema of report.json."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "report.json"}
    schema = Report.model_json_schema(mode="serialization")
    return json.dumps(head | {name: value for name, value in schema.items() if name != "title"}, indent=1) + "\n"


def languages_of(choice: Choice) -> str:
    return ", ".join(choice.languages) or "any"


def show(pairs: Iterable[tuple[str, str]]) -> str:
    """Return pairs of texts as code in a cell of a table; invisible characters by their names."""
    return "; ".join(" · ".join(f"`` {visible(text)} ``" for text in pair) for pair in pairs)


def visible(text: str) -> str:
    hidden = (unicodedata.category(character) in ("Cf", "Zs", "Cc") and character != " " for character in text)
    return "".join(f"\\u{ord(c):04x}" if hide else c for c, hide in zip(text, hidden, strict=True))


def describe(column: str) -> str:
    """Return the description of a column; a column without one is an error of this page."""
    measured = {entry.name: entry.description for entry in MEASUREMENTS}
    scored = {name: metric.description for name, metric in METRICS.items()}
    heard = {entry.name: entry.description for entry in columns_of(MEASURES)}
    text = (DESCRIPTIONS | scored | measured | heard)[column]
    return text[0].upper() + text[1:]


def type_name(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    return "struct" if pa.types.is_struct(kind) else str(kind)


def types_of(
    schema: pa.Schema | dict[str, pa.DataType], leave_out: Iterable[str] = ()
) -> list[tuple[str, pa.DataType]]:
    pairs = schema.items() if isinstance(schema, dict) else [(field.name, field.type) for field in schema]
    return [(name, kind) for name, kind in pairs if name not in set(leave_out)]


def markdown_table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


PARAMETERS_INTRODUCTION = """# Parameters

Every parameter of every command. Those of a run are the same for the Python flow (`curate(manifest=…, gate={"preset":
"guide"})`), for Prefect's form and for `prefect.yaml`. If the default is empty, there is none, or the text
says what is used instead. This page is generated from the code by `python -m docs.generate`."""

COLUMNS_INTRODUCTION = """# Columns

The columns of `OUT/data/*.parquet` (kept rows) and `OUT/rejects/*.parquet` (dropped and quarantined rows). Rates are
fractions, durations are in seconds, and null means unknown. This page is generated from the code by
`python -m docs.generate`."""

MENDED = (
    "A value that is badly written, but says without loss what is meant, is read; `mended` names each such reading."
)

NORMALIZATION_INTRODUCTION = """# Normalization

Before a hypothesis is compared with its reference, both are normalized. `basic`, the default of `--normalizer`, ignores
what no reader would call an error. The table lists every such choice, with pairs of texts that it takes for equal, and
pairs that are alike but stay different; tests check each of them.

- `lang` is the field of that name in the manifest, or the argument `language` of `score`. Without it, only choices for
  *any* language apply. `letters-…` normalizers know their own language.
- Some choices depend on both texts: `e-mail` is `email` where one of both has the hyphen. Then the hypothesis is
  respelled like its reference, whose words are counted; it keeps all its other errors. Texts of more than 20,000
  characters are not respelled. In a vote, the spelling of the most confident hypothesis that has the words is used.
- `--scoring.merge-compounds` also takes words for equal that are only joined or split: `home page` and `homepage`, up
  to four words in one. The public Open ASR leaderboard does so. It applies with every normalizer, wherever texts are
  compared: WER, agreement, votes, and the choice of a budget.
- `whisper` and `whisper-english` are OpenAI's normalizers and do none of this.
- A text of more than 100,000 characters, about two hours of speech, is not compared but quarantined (TEXT_TOO_LONG).

This page is generated from `winnow/text/equalities.py` by `python -m docs.generate`."""

REASONS = "A row that cannot be judged is quarantined with one of these in `reason`, and often with more in `detail`."

DESCRIPTIONS = {
    "id": "Line in the manifest, from 1",
    "audio_filepath": "Path of the audio, as in the manifest",
    "offset": "Start of the utterance in its file, in seconds; null: the whole file",
    "duration": "Length, in seconds; measured if the manifest does not state it",
    "text": "The reference",
    "reason": "Why the row is not kept: the first rule that it violates, or why it is quarantined; null if it is kept",
    "detail": "What was found, in words, if the row is quarantined",
    "mended": "How the row was read although it is badly written; null if it is well written",
    "pred_text": "The hypothesis",
    "tokens": "Tokens in the hypothesis",
    "confidence": "Confidence (0 to 1) of the hypothesis: by entropy, of `whisper:` the mean of its tokens'",
    "word_confidence": "Confidence of each word (0 to 1)",
    "words": "Words with start and end, in seconds from the start of the utterance; only with `--engine.timestamps`",
    "spoken_language": "Language that the model was told or heard; of models with a language, such as Whisper",
    "no_speech": "The model's probability (0 to 1) that nobody speaks; of Whisper",
    "evidence": "Gap for each word of the reference, in nats",
    "gap": "How much less likely the reference is than the hypothesis under the model, in nats: 0 if they have the "
    "same words",
    "doubt": "The gap relative to the model's own uncertainty, gap / min(1 - log-likelihood of the hypothesis, 1.5 "
    "times the words): the higher, the more the audio speaks against the reference",
    "doubtful": "The reference's words where it differs most from the hypothesis, by the gap; empty where words are "
    "missing from it",
    "doubtful_words": "Each stretch where the reference differs from the hypothesis: its words (`text`), those of the "
    "hypothesis (`read`), the `place` of its first word in the reference (from 0), `start` and `end` in seconds, and "
    "`gap`, the nats by which the hypothesis is more likely than with only these words in it; only with "
    "`--engine.doubtful-words` ([more](evidence.md#doubtful-words))",
    "no_evidence": "Why there is no evidence: " + "; ".join(f"`{key}`, {why}" for key, why in NO_EVIDENCE.items()),
    "model": "With a model's prefix, the checkpoint that transcribed; without, the role whose hypothesis was selected",
    "agreement": "Mean agreement (0 to 1) of the other models with the hypothesis; null if one model transcribed",
    "lowest_agreement": "Lowest agreement (0 to 1) with a word of the hypothesis; null if one model transcribed",
    "char_rate": "Characters of the reference per second",
    "word_rate": "Words of the reference per second",
    "proposal": "What was probably said instead of a wrong reference: what all models that transcribed the row (two or "
    "more) read, and prefer by far; null where the reference stands",
    "proposal_margin": "How much more likely the proposal is than the reference, in nats, under the model that prefers "
    "it least",
    "input_text": "The reference of the manifest, where `winnow relabel` put a proposal in its place, or a reviewer "
    "another text; null elsewhere",
    "review": "What a reviewer decided: `keep`, `drop` or `edit` (kept with the reviewer's text); null if no one did",
    "reviewer": "Who decided",
    "reviewed_at": "When, in UTC",
    "large_small_gap": "How much less likely the small model's hypothesis is than the large model's own under the "
    "large model, in nats: 0 if they have the same words",
    "decision": "`keep`, `drop` or `quarantine`",
    "reasons": "Names of all rules that the row violates; null if there are none",
}

COLUMN_SECTIONS = (
    (
        "From the manifest",
        "Every other field of the manifest is a column as well. A field with the name of a column of Winnow's gets the "
        "prefix `input_`, and one that has the prefix gets another: `wer` of the output of a run is `input_wer` in the "
        "output of the next run and `input_input_wer` in that of the one after. Rules use the same names. Lists, "
        "objects and fields of mixed types are written as JSON.",
        types_of(UTTERANCE, leave_out=NOT_IN_RULES),
    ),
    ("Measured in the audio", "Measured before the audio is resampled.", types_of(AUDIO_STATS)),
    *(
        (
            f"Heard by `{name}`",
            f"Only in runs with `--listen {name}`, or with a rule on one of these columns; null in quarantined rows "
            "([more](listening.md)).",
            [(column.name, HEARD_TYPES[column.kind]) for column in measure.columns],
        )
        for name, measure in MEASURES.items()
    ),
    (
        "Of each model",
        "Each model has these columns, with its role as a prefix: `small_pred_text`, `large_pred_text`, "
        "`large2_pred_text` in a cascade; `model1_pred_text`, `model2_pred_text` in an ensemble. They are null if the "
        "model did not transcribe the row.",
        types_of(HYPOTHESIS),
    ),
    (
        "Of larger models",
        "A larger model also scores the hypotheses of the models before it: `large_small_gap`, `large2_small_gap`, "
        "`large2_large_gap` and so on.",
        [("large_small_gap", pa.float64())],
    ),
    (
        "Errors of each model",
        "Both texts are normalized first (`--normalizer`). The counts are those of jiwer. In a script without spaces "
        "(Chinese, Thai, …) each character, with its marks, counts as a word.",
        types_of(SCORES),
    ),
    (
        "Agreement",
        "Models after the first also have `large_agreement`, and so on. What each gate decided is in `band`, "
        "`large_band`, …: accept, escalate or reject.",
        types_of(AGREEMENT),
    ),
    (
        "The decision",
        "The columns without a prefix are those of the selected hypothesis: the last model's of a cascade, or the "
        "ensemble's.",
        [
            *types_of(DECISION),
            ("reason", pa.string()),
            ("detail", pa.string()),
            ("mended", pa.list_(pa.string())),
        ],
    ),
    (
        "Of relabelled runs",
        "Runs of [`winnow relabel`](proposals.md), and what is made of them, have one more column.",
        [(INPUT_TEXT, pa.string())],
    ),
    (
        "Of reviewed runs",
        "Runs of `winnow refilter --reviews` and `winnow relabel --reviews`, and what is made of them, have these too "
        "([more](review.md)).",
        types_of(REVIEW),
    ),
)


def main() -> None:
    (DOCS / "parameters.md").write_text(parameters_page())
    (DOCS / "columns.md").write_text(columns_page())
    (DOCS / "normalization.md").write_text(normalization_page())
    (DOCS / "report.schema.json").write_text(report_schema())


if __name__ == "__main__":
    main()

"""Where a run comes from: its settings, the digests of its inputs and the versions of its software."""

from winnow.reports.formatting import code_span, escape_markdown, markdown_table
from winnow.runs.run_record import RunRecord, Values


def provenance(record: RunRecord) -> str:
    """Tabulate what `run.json` records, as markdown."""
    settings = [[code_span(name), value_cell(value)] for name, value in given_values(record.parameters)]
    digests = [
        [escape_markdown(name), f"`{digest}`" if digest else "unknown"] for name, digest in record.sha256.items()
    ]
    versions = [[escape_markdown(name), escape_markdown(version)] for name, version in record.versions.items()]
    derived = f"Made by `winnow {record.derived.flow}` from {code_span(record.derived.run)}." if record.derived else ""
    tables = [
        ("Settings", ["Setting", "Value"], settings),
        ("Inputs", ["Input", "sha256"], digests),
        ("Software", ["Package", "Version"], versions),
    ]
    parts = [f"### {name}\n\n{markdown_table(header, cells)}" for name, header, cells in tables if cells]
    return "\n\n".join(filter(None, [derived, *parts]))


def value_cell(value: object) -> str:
    """Show a value; of a list each item, so that none is cut off because it follows many others."""
    items = value if isinstance(value, list) else [value]
    return ", ".join(escape_markdown(str(item)) for item in items)


def given_values(parameters: Values, prefix: str = "") -> list[tuple[str, object]]:
    """Return all values but empty ones, by the names of their options."""
    found: list[tuple[str, object]] = []
    for name, value in parameters.items():
        if isinstance(value, dict):
            found += given_values(value, f"{prefix}{name}.")
        elif value not in (None, "", [], ()):
            found.append((f"{prefix}{name}", value))
    return found

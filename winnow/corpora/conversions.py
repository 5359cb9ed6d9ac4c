"""Commands that convert a file of another form to JSON Lines; OLD and NEW stand for the names of the files.

Programs read and write by redirection, so that no file name has to be quoted inside them.
"""

import shlex
from collections.abc import Mapping


def python(program: str, reads: str = "< OLD") -> str:
    return f"python -c '{program}' {reads} > NEW"


def jq(filter_: str, options: str = "-c") -> str:
    return f"jq {options} '{filter_}' OLD > NEW"


def iconv(encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 OLD > NEW"


FROM_PARQUET = python(
    "import json, sys, pyarrow.parquet as pq; "
    "[print(json.dumps(row, default=str)) for row in pq.read_table(sys.argv[1]).to_pylist()]",
    reads="OLD",
)

FROM_PYTHON = python(
    "import ast, json, sys; [print(json.dumps(ast.literal_eval(line))) for line in sys.stdin if line.strip()]"
)

FROM_CUTS = python(
    'import json, sys; [print(json.dumps({"audio_filepath": cut["recording"]["sources"][0]["source"], '
    '"offset": cut["start"] + s["start"], "duration": s["duration"], "channel": s["channel"], "text": s.get("text")})) '
    'for cut in map(json.loads, sys.stdin) for s in cut["supervisions"]]'
)


def from_table(delimiter: str, names: Mapping[str, str]) -> str:
    """Return the command for a table whose columns `names` maps from the expected names to its own."""
    columns = "".join(f'"{name}": row["{own}"], ' for name, own in names.items())
    dialect = 'delimiter="\\t", quoting=csv.QUOTE_NONE' if delimiter == "\t" else f'delimiter="{delimiter}"'
    rows = f"csv.DictReader(sys.stdin, {dialect})"
    return python(f"import csv, json, sys; [print(json.dumps({{{columns}**row}})) for row in {rows}]")


def with_columns(names: Mapping[str, str | None]) -> str:
    """Return the option for a corpus whose fields `names` maps from the expected names to its own."""
    columns = ",".join(f"{name}={own}" for name, own in names.items())
    return f"add --columns {columns}"


def renamed_to(suffix: str) -> str:
    """Return the remedy for a file that is read as it is once its name says what it is."""
    return f"let its name end in {suffix}: it is read as it is"


def with_names(command: str, old: str, new: str) -> str:
    """Return a command for these files."""
    return command.replace("OLD", shlex.quote(old)).replace("NEW", shlex.quote(new))

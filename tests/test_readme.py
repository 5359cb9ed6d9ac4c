"""The README and the pages that it names say what is so."""

import re
from collections.abc import Iterator
from pathlib import Path

from cli.app import EXIT_CODES
from winnow.parameters.curation import Curation
from winnow.parameters.ensemble import Ensemble
from winnow.parameters.settings import Parameters

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PARAMETERS = (ROOT / "docs" / "PARAMETERS.md").read_text()


def rows(model: type[Parameters], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, Parameters):
            yield from rows(type(field.default), f"{name.replace('_', '-')}.")
            continue
        flag = "MANIFEST" if name == "manifest" else f"--{prefix}{name.replace('_', '-')}"
        default = "required" if field.is_required() else "" if field.default is None else f"`{field.default}`"
        yield f"| `{flag}` | {default} | {field.description} |"


def test_the_table_of_parameters_is_that_of_the_models():
    def said(row: str) -> str:
        return row.partition("` |")[2]

    shared = list(rows(Curation))
    own = [row for row in rows(Ensemble) if said(row) not in map(said, shared)]
    assert re.findall(r"^\| `(?:MANIFEST|--)[^\n]*$", PARAMETERS, re.MULTILINE) == [*shared, *own]


def test_every_exit_code_is_there():
    said = re.search(r"^Exit codes: (.*?)\.$", README, re.MULTILINE | re.DOTALL)
    assert " ".join(said[1].split()) == "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())


def test_every_make_target_and_file_it_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE)) <= targets
    for name in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / name).exists(), name


def test_every_fault_has_a_test_that_is_there():
    table = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", (ROOT / "docs" / "RELIABILITY.md").read_text(), re.MULTILINE)
    assert [int(row) for row, _ in table] == list(range(1, 40))
    for row, cell in table:
        file = None
        assert "`" in cell, f"row {row}"
        for name, every in re.findall(r"`([^`]+)`( \(all\))?", cell):
            path, _, test = name.partition("::")
            assert test or every, f"row {row}: which test of {path}?"
            file = Path(path) if path != "…" else file
            assert file is not None
            text = (ROOT / (file if file.parts[0] == "tests" else Path("tests/faults") / file)).read_text()
            assert f"\ndef {test.rstrip('…')}" in text, f"row {row}: {name}"

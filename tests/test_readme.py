"""The README says what is so."""

import re
from collections.abc import Iterator
from pathlib import Path

from flows.cli import EXIT_CODES
from tasks.config import Curation, Parameters

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def rows(model: type[Parameters], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, Parameters):
            yield from rows(type(field.default), f"{name.replace('_', '-')}.")
            continue
        flag = "MANIFEST" if name == "manifest" else f"--{prefix}{name.replace('_', '-')}"
        default = "required" if field.is_required() else "" if field.default is None else f"`{field.default}`"
        yield f"| `{flag}` | {default} | {field.description} |"


def test_the_table_of_parameters_is_that_of_the_models():
    assert re.findall(r"^\| `(?:MANIFEST|--)[^\n]*$", README, re.MULTILINE) == list(rows(Curation))


def test_every_exit_code_is_there():
    said = re.search(r"^Exit codes: (.*?)\.$", README, re.MULTILINE | re.DOTALL)
    assert " ".join(said[1].split()) == "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())


def test_every_make_target_and_file_it_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE)) <= targets
    for name in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / name).exists(), name

"""Python files in the current folder are never imported, even if they are named like ours, a library's or Python's.

Runs start in such a folder in test_server.py (a command and its server) and in faults/test_workers.py (Dask's workers,
and processes that isolate one utterance).
"""

import ast
from pathlib import Path

from tests.conftest import ROOT

TOPS = ("winnow", "tasks", "flows", "deployments", "cli")
NAMES = ("cli", "deployments", "flows/__init__", "json", "prefect", "tasks", "torch", "types", "winnow")

HOSTILE = """
with open({log!r}, "a") as log:
    log.write(__name__ + "\\n")
raise SystemExit("a file of the current folder was imported")
"""


def hostile_folder(here: Path) -> tuple[Path, Path]:
    """Return a folder of hostile files, and the file that exists once one of them was imported."""
    folder, log = here / "current", here / "imported"
    for name in NAMES:
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HOSTILE.format(log=str(log)))
    return folder, log


def test_every_process_that_is_started_ignores_the_current_folder():
    starts = []
    for path in sorted(path for top in TOPS for path in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable":
                starts.append(f"{path.name}: {ast.unparse(node.elts[1])}")
    assert len(starts) >= 6
    assert [start for start in starts if not start.endswith(": '-P'")] == []

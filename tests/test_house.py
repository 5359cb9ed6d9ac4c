"""The house keeps its shape: who imports whom."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from winnow.schema import QUARANTINE_REASONS

ROOT = Path(__file__).parent.parent
NO_REASONS = {"PCM_16", "PCM_U8", "PCM_S8", "WINNOW_CORES"}  # names of libsndfile's, and a variable
TASKS = ROOT / "tasks"
MODULES = sorted(str(path.relative_to(TASKS)) for path in TASKS.rglob("[a-z]*.py"))
SHARED = [name for name in MODULES if "/" in name or name == "schema.py"]
STAGES = sorted(set(MODULES) - set(SHARED))
"""A stage is a module of tasks/, and what stages share lies in the folders below."""


def imported(module: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", MODULES)
def test_tasks_know_nothing_of_flows_and_stages_nothing_of_each_other(module):
    names = imported(TASKS / module)
    assert not {name for name in names if name.split(".")[0] in ("flows", "deployments", "demo")}
    assert not names & {f"tasks.{stage.removesuffix('.py')}" for stage in STAGES}


@pytest.mark.parametrize("module", STAGES)
def test_a_stage_has_its_task(module):
    assert "prefect.task" in imported(TASKS / module)


@pytest.mark.parametrize("module", SHARED)
def test_shared_modules_never_import_prefect(module):
    assert not {name for name in imported(TASKS / module) if name.split(".")[0] == "prefect"}


def test_every_reason_for_quarantine_is_explained():
    raised = set()
    below = [name for name in MODULES if name.startswith(("manifests/", "audio/", "engine/"))]
    for module in ["read.py", "score.py", *below]:
        raised |= set(re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', (TASKS / module).read_text()))
    assert raised - NO_REASONS == set(QUARANTINE_REASONS)


CLOCK = re.compile(r"\btime\.(time|time_ns|localtime|gmtime|ctime)\b|\.st_[macb]time|\.get[mac]time\b")
"""What says the time of day, or the time of a file; what only measures how long something takes is none."""


def test_row_39_nothing_asks_a_clock():
    """But for the words of a benchmark's table, which say when it was made."""
    for path in [*TASKS.rglob("*.py"), *(ROOT / "flows").glob("*.py")]:
        assert not CLOCK.findall(path.read_text()), path.name
        assert not imported(path) & {"datetime", "time.time", "time.time_ns"}, path.name


def test_help_imports_nothing_heavy():
    heavy = "print({'prefect', 'torch', 'nemo', 'pyarrow', 'matplotlib'} & set(sys.modules))"
    code = f"import sys, cli.app; cli.app.app(['--help'], result_action='return_value'); {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"

"""The architecture: which package may import which, and what stays out of where."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from winnow.schema import QUARANTINE_REASONS

ROOT = Path(__file__).parent.parent

LAYERS = (
    {"schema", "roles", "errors", "hardware", "imports", "digests", "text", "audio"},
    {"parameters", "rules", "gates"},
    {"runs", "corpora"},
    {"models", "engines", "devices"},
    {"reports", "validation", "sweep", "benchmarking", "doctor"},
    {"api"},
    {"tasks"},
    {"flows"},
    {"deployments"},
    {"cli"},
)
"""From the bottom up: a package imports from its own layer or from one below it, and never in a ring."""

LAYER_OF = {package: number for number, layer in enumerate(LAYERS) for package in layer}
TOPS = ("winnow", "tasks", "flows", "deployments", "cli")
NOT_STAGES = {"__init__.py", "retry.py"}
STAGES = sorted(path.name for path in (ROOT / "tasks").glob("*.py") if path.name not in NOT_STAGES)


def package_of(module: str) -> str | None:
    """Name the package that a module belongs to: the one below `winnow`, else the top-level one."""
    parts = module.split(".")
    name = parts[1] if parts[0] == "winnow" and len(parts) > 1 else parts[0]
    return name if parts[0] in TOPS and name in LAYER_OF else None


def imported(path: Path) -> set[str]:
    """List what a module imports, wherever in it, but for what it does when it is run as a script."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test))]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def shipped() -> Iterator[tuple[str, Path]]:
    """Yield every module that is installed with Winnow, with its dotted name."""
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def dependencies() -> dict[str, dict[str, str]]:
    """Map each package to the other packages that it imports, each with a module that does so."""
    found: dict[str, dict[str, str]] = {package: {} for package in LAYER_OF}
    for module, path in shipped():
        here = package_of(module)
        for name in imported(path):
            there = package_of(name)
            if here and there and here != there:
                found[here][there] = module
    return found


def test_every_package_has_a_layer():
    missing = {module for module, _ in shipped() if package_of(module) is None}
    assert missing <= {"winnow"}


def test_packages_import_downwards_only():
    upwards = [
        f"{module} imports {there}"
        for here, others in dependencies().items()
        for there, module in others.items()
        if LAYER_OF[there] > LAYER_OF[here]
    ]
    assert upwards == []


def test_packages_of_one_layer_import_each_other_in_no_ring():
    below = {
        here: {there for there in others if LAYER_OF[there] == LAYER_OF[here]}
        for here, others in dependencies().items()
    }
    while leaves := {package for package, others in below.items() if not others}:
        below = {package: others - leaves for package, others in below.items() if package not in leaves}
    assert below == {}


def test_the_library_does_not_import_prefect():
    users = [
        module
        for module, path in shipped()
        if module.startswith("winnow") and "prefect" in {n.split(".")[0] for n in imported(path)}
    ]
    assert users == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_a_task_and_imports_no_other_stage(stage):
    names = imported(ROOT / "tasks" / stage)
    assert "prefect.task" in names
    assert not names & {f"tasks.{other.removesuffix('.py')}" for other in STAGES}


@pytest.mark.parametrize("library", ["torch", "nemo"])
def test_only_functions_import_torch_and_nemo(library):
    """So that everything else runs where they are not installed, and starts at once."""
    eager = set()
    for module, path in shipped():
        names = {
            alias.name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        names |= {str(node.module) for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)}
        eager |= {module for name in names if name.split(".")[0] == library}
    assert eager <= {"winnow.engines.nemo.fast_paths"}


NO_REASONS = {"PCM_16", "PCM_U8", "PCM_S8", "WINNOW_CORES", "HF_ENDPOINT", "HF_HOME", "WINNOW_CACHE"}
"""Written in capitals, and no reason: names of libsndfile's, and environment variables."""


def test_every_reason_for_quarantine_is_explained():
    raised = set()
    for module, path in shipped():
        if module.startswith(("winnow.corpora", "winnow.audio", "winnow.engines", "tasks.load", "tasks.score")):
            raised |= set(re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', path.read_text()))
    assert {
        name
        for name in raised - NO_REASONS
        if not name.startswith(("WINNOW_", "XDG_", "HF_", "NEMO_", "TORCH_", "CUDA_"))
    } == set(QUARANTINE_REASONS)


CLOCK = re.compile(r"\btime\.(time|time_ns|localtime|gmtime|ctime)\b|\.st_[macb]time|\.get[mac]time\b")
"""What tells the time of day, or the time of a file; what only measures how long something takes does not."""


def test_row_39_no_decision_reads_a_clock():
    """The words of a benchmark's table say when it was made, by time.strftime."""
    for module, path in shipped():
        assert not CLOCK.findall(path.read_text()), module
        names = imported(path) - {"datetime.timedelta"}
        assert not {name for name in names if name.startswith(("datetime.", "time.time"))}, module


def test_help_imports_nothing_heavy():
    heavy = "print({'prefect', 'torch', 'nemo', 'pyarrow', 'matplotlib'} & set(sys.modules))"
    code = f"import sys, cli.app; cli.app.app(['--help'], result_action='return_value'); {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"

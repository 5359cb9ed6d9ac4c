"""The architecture: which package may import which, what may be imported where, and how modules are named."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from winnow.schema import MENDINGS, QUARANTINE_REASONS
from winnow.text.evidence import NO_EVIDENCE

ROOT = Path(__file__).parent.parent

LAYERS = (
    set("schema roles printable errors hardware imports input_files digests cache pins text audio listening".split())
    | {"file_lock", "process_memory"},
    {"parameters", "log", "telemetry", "rules", "gates", "evidence"},
    {"runs", "corpora", "verdicts"},
    {"models", "engines", "devices"},
    {"reports", "validation", "sweep", "benchmarking", "doctor"},
    {"api", "export", "segmenting", "diff", "review"},
    {"tasks"},
    {"flows"},
    {"deployments"},
    {"cli"},
)
"""From the bottom up: a package imports from its own layer or from one below it, and never in a ring."""

LAYER_OF = {package: number for number, layer in enumerate(LAYERS) for package in layer}
SHIPPED = ("winnow", "tasks", "flows", "deployments", "cli")
UNSHIPPED = ("demo", "benchmarks", "examples", "docs")
NOT_STAGES = {"__init__.py", "retry.py"}
STAGES = sorted(path.stem for path in (ROOT / "tasks").glob("*.py") if path.name not in NOT_STAGES)


def shipped_modules() -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module that a wheel carries."""
    for folder in SHIPPED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def package_of(module: str) -> str | None:
    """Return the package that has a layer: the second part of `winnow.gates.budget`, the first of `tasks.gate`."""
    top, _, rest = module.partition(".")
    package = rest.partition(".")[0] if top == "winnow" else top
    return package if top in SHIPPED and package in LAYER_OF else None


def module_level(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements that run on import, without what runs as a script."""
    return [node for node in tree.body if not (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test))]


def imported_names(nodes: list[ast.stmt]) -> set[str]:
    """Return the dotted names that statements import: modules, and `module.name` for each name taken from one."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def eager_imports(path: Path) -> set[str]:
    """Return what is imported as soon as the module is."""
    return imported_names(module_level(ast.parse(path.read_text())))


@cache
def all_imports(path: Path) -> set[str]:
    """Return what a module imports anywhere, in functions too, unless only as a script."""
    return imported_names([node for part in module_level(ast.parse(path.read_text())) for node in ast.walk(part)])


def importers_of(library: str, imports=all_imports) -> set[str]:
    """Return the shipped modules that import a library."""
    tops = {module: {name.partition(".")[0] for name in imports(path)} for module, path in shipped_modules()}
    return {module for module, names in tops.items() if library in names}


def package_imports() -> dict[str, dict[str, str]]:
    """Map each package to the packages that it imports, each with a module that does so."""
    imports: dict[str, dict[str, str]] = {package: {} for package in LAYER_OF}
    for module, path in shipped_modules():
        importer = package_of(module)
        for package in map(package_of, all_imports(path)):
            if importer and package and importer != package:
                imports[importer][package] = module
    return imports


def test_every_package_has_a_layer():
    assert {module for module, _ in shipped_modules() if package_of(module) is None} == {"winnow"}


def test_packages_import_downwards_only():
    upwards = [
        f"{module} imports {package}"
        for importer, packages in package_imports().items()
        for package, module in packages.items()
        if LAYER_OF[package] > LAYER_OF[importer]
    ]
    assert upwards == []


def test_packages_of_one_layer_import_each_other_without_cycles():
    remaining = {
        importer: {package for package in packages if LAYER_OF[package] == LAYER_OF[importer]}
        for importer, packages in package_imports().items()
    }
    while leaves := {package for package, packages in remaining.items() if not packages}:
        remaining = {package: others - leaves for package, others in remaining.items() if package not in leaves}
    assert remaining == {}


def test_library_does_not_import_prefect():
    assert {module for module in importers_of("prefect") if module.startswith("winnow")} == set()


def test_only_the_nemo_engine_and_the_doctor_import_nemo():
    others = {module for module in importers_of("nemo") if not module.startswith("winnow.engines.nemo.")}
    assert others == {"winnow.doctor.framework_check"}


TORCH_ITSELF = ("likelihoods", "transducer_lattice", "nemo.fast_paths", "nemo.teacher_forcing")
"""Modules of nothing but tensors, which are imported by functions only."""


@pytest.mark.parametrize("library", ["torch", "nemo"])
def test_torch_and_nemo_are_imported_by_functions_only(library):
    """Everything else then starts at once, and runs where they are not installed."""
    assert importers_of(library, eager_imports) <= {f"winnow.engines.{module}" for module in TORCH_ITSELF}


@pytest.mark.parametrize("stage", STAGES)
def test_stage_has_a_task_and_imports_no_other_stage(stage):
    names = all_imports(ROOT / "tasks" / f"{stage}.py")
    assert "prefect.task" in names
    assert not names & {f"tasks.{other}" for other in STAGES}


@pytest.mark.parametrize(
    "code", ["import cli.app; cli.app.app(['--help'], result_action='return_value')", "import winnow"]
)
def test_help_and_the_library_import_nothing_heavy(code):
    heavy = "{'prefect', 'torch', 'nemo', 'pyarrow', 'matplotlib', 'dask'}"
    script = f"{code}; import sys; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "set()"


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
GENERIC = {"utils", "helpers", "common", "core", "base", "manager", "handler"}
NAMED_LIKE_ITS_LIBRARY = {"nemo", "transformers"}
"""The package of an engine is named like the library that it wraps."""


installed_distributions = cache(packages_distributions)


def module_names() -> set[str]:
    """Return the last part of the name of every module and package, shipped or not."""
    folders = [ROOT / folder for folder in (*SHIPPED, *UNSHIPPED) if (ROOT / folder).exists()]
    paths = [path for folder in folders for path in [folder, *folder.rglob("*.py")]]
    return {path.parent.name if path.stem == "__init__" else path.stem for path in paths}


def test_no_module_has_a_generic_name():
    assert module_names() & GENERIC == set()


def test_no_module_is_named_like_a_standard_module():
    assert module_names() & (set(sys.stdlib_module_names) - {"__main__"}) == set()


def test_no_module_is_named_like_a_dependency():
    distributions = installed_distributions()
    libraries = {name for name in distributions if DECLARED & set(map(canonicalize_name, distributions[name]))}
    assert module_names() & (libraries - NAMED_LIKE_ITS_LIBRARY) == set()


NOT_REASONS = {"PCM_16", "PCM_U8", "PCM_S8", "WINNOW_CORES", "HF_ENDPOINT", "HF_HOME", "WINNOW_CACHE"}
"""Written like a reason: formats of libsndfile and environment variables."""

PLACES_OF_REASONS = (
    "winnow.corpora",
    "winnow.audio",
    "winnow.engines",
    "winnow.text.evidence",
    "tasks.load",
    "tasks.score",
)

NOT_REASON_PREFIXES = ("WINNOW_", "SSL_CERT_", "OPENAI_", "XDG_", "HF_", "NEMO_", "TORCH_", "CUDA_")


def test_every_reason_and_mending_is_explained():
    written = set()
    for module, path in shipped_modules():
        if module.startswith(PLACES_OF_REASONS):
            written |= set(re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', path.read_text()))
    reasons = {name for name in written - NOT_REASONS if not name.startswith(NOT_REASON_PREFIXES)}
    assert reasons == set(QUARANTINE_REASONS) | set(MENDINGS) | set(NO_EVIDENCE)


CLOCK = re.compile(r"\btime\.(time|time_ns|localtime|gmtime|ctime)\b|\.st_[macb]time|\.get[mac]time\b")
"""Names of functions that tell the time of day or of a file; clocks that only measure a duration are allowed."""


def test_row_39_no_decision_reads_a_clock():
    """Benchmark tables say when they were made, by time.strftime: that is no decision.

    Times of files are compared for equality, and only to find that a file is still the same, or whole. In a cache they
    say what was used longest ago, and for an endpoint when it may be asked, on which no output depends.
    """
    found = {module for module, path in shipped_modules() if CLOCK.search(path.read_text())}
    caches = {"winnow.cache", "winnow.audio.audio_cache", "winnow.audio.drafts", "winnow.audio.safe_open"}
    assert found == {*caches, "winnow.corpora.listing", "winnow.engines.endpoint.traffic"}
    for module, path in shipped_modules():
        names = all_imports(path) - {"datetime.timedelta"}
        if module == "winnow.verdicts.clock":  # when a person said something, which orders what people said
            continue
        assert not {name for name in names if name.startswith(("datetime.", "time.time"))}, module


OF_EXTRAS = {"ctranslate2", "faster_whisper", "onnx", "onnxruntime", "py3langid", "safetensors", "transformers"}
"""Libraries of the extras `whisper`, `transformers` and `listen`, which are refused by that name where missing."""


def test_every_imported_library_is_a_declared_dependency():
    """The dependencies of `make demo` and of the wheel suffice to run: test tools come with the extra `dev` only."""
    imported = {name.partition(".")[0] for _, path in shipped_modules() for name in all_imports(path)}
    imported |= {name.partition(".")[0] for path in (ROOT / "demo").glob("*.py") for name in all_imports(path)}
    libraries = imported - set(sys.stdlib_module_names) - {*SHIPPED, "demo"} - OF_EXTRAS
    distributions = installed_distributions()
    assert {name for name in libraries if not DECLARED & set(map(canonicalize_name, distributions[name]))} == set()

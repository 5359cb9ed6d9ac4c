"""The built wheel and sdist: what they carry, and that an installed wheel works outside a checkout."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from deployments.deploy import deployments, prefect_yaml
from tests.conftest import DEMO, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
UTTERANCES = 8


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist and the wheel, with the build backend that is installed: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--directory", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return dist / f"winnow-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment that has the suite's third-party packages; return its `bin` folder."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    third_party = [path for path in sys.path if Path(path).name == "site-packages"]
    # a line of a .pth file is a folder whose own .pth files are not read: the checkout stays out
    (packages / "third_party.pth").write_text("\n".join(third_party))
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    return folder / "bin"


def run(*command: object, cwd: Path, **variables: str) -> str:
    """Return what a command prints; coverage does not follow it, since it runs other files than the checkout's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTHONPATH"))}
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def contents(archive: zipfile.ZipFile) -> dict[str, int]:
    return {info.filename: info.CRC for info in archive.infolist()}


def test_wheel_carries_the_packages_with_their_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, f"winnow-{VERSION}.dist-info"}
    modules = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert {"winnow/py.typed", "winnow/models/catalog.yaml", "deployments/prefect.yaml"} <= names


def test_sdist_carries_no_tests_and_no_demo_and_builds_the_same_wheel(dist, wheel, tmp_path):
    sdist = dist / f"winnow-{VERSION}.tar.gz"
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"winnow-{VERSION}"
    assert {path.name for path in source.iterdir() if path.is_dir()} == set(PACKAGES)
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=source)
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(tmp_path / wheel.name) as theirs:
        assert contents(theirs) == contents(ours)


def test_version_is_that_of_pyproject_everywhere(installed, tmp_path):
    assert run(installed / "winnow", "--version", cwd=tmp_path).strip() == VERSION
    show = "import winnow; print(winnow.__version__)"
    assert run(installed / "python", "-c", show, cwd=tmp_path).strip() == VERSION


def test_installed_library_offers_every_public_name(installed, tmp_path):
    code = "import winnow; print(winnow.__file__); print([getattr(winnow, name) for name in winnow.__all__] != [])"
    location, complete = run(installed / "python", "-c", code, cwd=tmp_path).splitlines()
    assert Path(location).is_relative_to(installed.parent)
    assert complete == "True"


def test_installed_command_curates_with_real_checkpoints(installed, prefect_server, tmp_path):
    """Outside the checkout, with files that lie where the user put them."""
    lines = (DEMO / "corpus" / "manifest.jsonl").read_text().splitlines()[:UTTERANCES]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    for name in [json.loads(line)["audio_filepath"] for line in lines]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(DEMO / "corpus" / name, tmp_path / name)
    for name in ("small.nemo", "large.nemo"):
        shutil.copy(DEMO / name, tmp_path)
    assert "curate" in run(installed / "winnow", "--help", cwd=tmp_path)
    models = ["--small", "small.nemo", "--large", "large.nemo", "--trust-unpinned"]
    command = [installed / "winnow", "curate", "corpus.jsonl", "--output", "out", *models]
    run(*command, cwd=tmp_path, PREFECT_API_URL=prefect_server, PREFECT_HOME=str(tmp_path / "prefect"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["lines"] == UTTERANCES
    assert report["kept"] + report["dropped"] == UTTERANCES
    assert (tmp_path / "out" / "_SUCCESS.json").exists()


def test_installed_deployments_are_those_of_the_checkout_but_for_the_demo(installed, tmp_path):
    code = (
        "import json, pathlib, deployments.deploy as d; here = pathlib.Path.cwd(); "
        "print(json.dumps(d.deployments(d.prefect_yaml(here), here)))"
    )
    rows = json.loads(run(installed / "python", "-c", code, cwd=tmp_path))
    ours = deployments(prefect_yaml(ROOT), ROOT)
    (demo,) = (row for row in ours if row not in rows)
    assert demo["parameters"]["manifest"] == "demo/corpus/manifest.jsonl"
    without_demo = {name: value for name, value in demo.items() if name not in ("parameters", "schedules")}
    assert rows == [without_demo if row == demo else row for row in ours]


def test_hooks_before_a_commit_are_valid(tmp_path):
    run(sys.executable, "-m", "pre_commit", "validate-config", ROOT / ".pre-commit-config.yaml", cwd=tmp_path)

"""The doctor finds what is planted, and says what mends it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DEMO, ROOT
from winnow.doctor import disk_space, formats, framework_check, packages
from winnow.doctor.checkpoint_check import check_checkpoint, check_hub
from winnow.doctor.checks import environment
from winnow.doctor.findings import run_check

GIB = 2**30
GPU = {"name": "H100", "free": 70 * GIB, "total": 80 * GIB, "capability": [9, 0]}
SOUND = {"nemo": "3.0.0", "torch": "2.13.0", "cuda": "13.0", "driver": True, "archs": ["sm_80", "sm_90"]}
SOUND |= {"devices": [GPU]}
WANTED = ["fastapi<0.151", "nemo_toolkit[asr]>=3.0", "prefect>=3.8.8,<4", "sqlalchemy>=2.0,<2.1", "torch>=2.10"]
INSTALLED = {
    "fastapi": "0.150.1",
    "nemo-toolkit": "3.0.0",
    "prefect": "3.8.8",
    "sqlalchemy": "2.0.44",
    "torch": "2.13.0",
}


def unreachable(endpoint: str) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def without(name: str) -> dict[str, str]:
    return {one: version for one, version in INSTALLED.items() if one != name}


PLANTED = {
    "fastapi without a server": (
        lambda tmp: packages.check_packages(WANTED, INSTALLED | {"fastapi": "0.151.0"}),
        "failed",
        "fastapi 0.151.0 is installed: with this one no Prefect server starts",
        'pip install --constraint constraints.txt "fastapi<0.151"',
    ),
    "SQLAlchemy without schedules": (
        lambda tmp: packages.check_packages(WANTED, INSTALLED | {"sqlalchemy": "2.1.0"}),
        "failed",
        "sqlalchemy 2.1.0 is installed: with this one Prefect never creates scheduled runs, and says nothing",
        'pip install --constraint constraints.txt "sqlalchemy<2.1,>=2.0"',
    ),
    "old torch": (
        lambda tmp: packages.check_packages(WANTED, INSTALLED | {"torch": "2.9.1+cu128"}),
        "failed",
        "torch 2.9.1+cu128 is installed: this one opens checkpoints unsafely",
        'pip install --constraint constraints.txt "torch>=2.10"',
    ),
    "no NeMo": (
        lambda tmp: packages.check_packages(WANTED, without("nemo-toolkit")),
        "failed",
        "nemo_toolkit is not installed",
        'pip install --constraint constraints.txt "nemo_toolkit[asr]>=3.0"',
    ),
    "torch that cannot be imported": (
        lambda tmp: framework_check.check_frameworks(
            {"error": "cannot be imported: OSError: libcudart.so.13: no such file"}
        ),
        "failed",
        "cannot be imported: OSError: libcudart.so.13: no such file",
        "pip install --constraint constraints.txt --editable . in an environment of its own",
    ),
    "driver too old for torch": (
        lambda tmp: framework_check.check_frameworks(SOUND | {"devices": []}),
        "failed",
        "NeMo 3.0.0, torch 2.13.0, CUDA 13.0: there is an NVIDIA driver, and torch finds no GPU with it",
        "a newer driver, or a torch for an older CUDA: nvidia-smi shows which one the driver has",
    ),
    "torch for the CPU beside a GPU": (
        lambda tmp: framework_check.check_frameworks(SOUND | {"cuda": None, "devices": []}),
        "warning",
        "NeMo 3.0.0, torch 2.13.0, without CUDA: there is an NVIDIA driver, and its GPUs are not used",
        "install the torch that pytorch.org names for its CUDA, --constraint constraints.txt",
    ),
    "GPU newer than torch": (
        lambda tmp: framework_check.check_devices(SOUND | {"devices": [GPU | {"capability": [12, 0]}]}, 8, GIB, GIB),
        "failed",
        "H100, 70.0 GiB of 80.0 GiB free: torch is built for sm_80, sm_90, which this GPU is none of",
        "install the torch that pytorch.org names for it, --constraint constraints.txt",
    ),
    "GPU in use": (
        lambda tmp: framework_check.check_devices(SOUND | {"devices": [GPU | {"free": 3 * GIB}]}, 8, GIB, GIB),
        "warning",
        "H100, 3.0 GiB of 80.0 GiB free",
        "nvidia-smi shows who has the rest; CUDA_VISIBLE_DEVICES chooses another",
    ),
    "weights that run code": (
        lambda tmp: environment({"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}),
        "failed",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 lets weights run code when they are loaded",
        "unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",
    ),
    "missing codec": (
        lambda tmp: formats.check_formats(formats.FORMATS | {"mp3": ("MP3", "MPEG_LAYER_IV")}),
        "failed",
        "mp3 cannot be read: ",
        "pip install --force-reinstall soundfile (its wheels bring libsndfile 1.2), or make flac of the audio",
    ),
    "cache that others may write to": (
        lambda tmp: disk_space.check_private_cache(open_to_all(tmp), 0, 10 * GIB),
        "failed",
        "others may write to it",
        "make it yours alone, or set WINNOW_CACHE to another",
    ),
    "cache that cannot be written to": (
        lambda tmp: disk_space.check_private_cache(Path("/proc/winnow/checkpoints"), 0, 10 * GIB),
        "failed",
        "/proc/winnow/checkpoints: cannot be written to",
        "make it writable, or set WINNOW_CACHE to a folder of yours",
    ),
    "hub's cache that cannot be written to": (
        lambda tmp: disk_space.check_hub_cache(Path("/proc/huggingface"), GIB, 10 * GIB),
        "failed",
        "/proc/huggingface: cannot be written to",
        "make it writable, or set HF_HOME to another folder",
    ),
    "full disk": (
        lambda tmp: disk_space.check_private_cache(tmp / "cache", 4 * GIB, 3 * GIB),
        "failed",
        "3.0 GiB free, 9.0 GiB needed",
        "make room, or set WINNOW_CACHE to a folder of yours on another disk",
    ),
    "full disk below the output": (
        lambda tmp: disk_space.check_output(tmp / "out" / "run", GIB // 2),
        "failed",
        "0.5 GiB free, 1.0 GiB needed",
        "make room, or choose an output on another disk",
    ),
    "output that cannot be written to": (
        lambda tmp: disk_space.check_output(Path("/proc/out"), 10 * GIB),
        "failed",
        "/proc/out: cannot be written to",
        "make it writable, or choose another",
    ),
    "output with other files": (
        lambda tmp: disk_space.check_output(ROOT, 10 * GIB),
        "failed",
        "not a run's folder, and not empty",
        "choose another output",
    ),
    "too little memory": (
        lambda tmp: disk_space.check_memory(0, GIB // 2),
        "failed",
        "0.5 GiB free, about 1.0 GiB needed",
        "end what else runs here, or take a machine with more",
    ),
    "too little memory for the models": (
        lambda tmp: disk_space.check_memory(4 * GIB, 5 * GIB),
        "warning",
        "5.0 GiB free, about 9.0 GiB needed",
        "end what else runs here, or choose smaller models",
    ),
    "unreachable hub that is needed": (
        lambda tmp: check_hub("https://hub.example", offline=False, needed=True, reach=unreachable),
        "failed",
        "https://hub.example does not answer ([Errno 111] Connection refused)",
        "set HF_ENDPOINT to a mirror",
    ),
    "unreachable hub that is not needed": (
        lambda tmp: check_hub("https://hub.example", offline=False, needed=False, reach=unreachable),
        "warning",
        "no model here is of it",
        "set HF_ENDPOINT to a mirror",
    ),
    "truncated checkpoint": (
        lambda tmp: [check_checkpoint(truncated(tmp), trust_unpinned=True).finding],
        "failed",
        "refused before anything in it was opened",
        "get it again from its publisher",
    ),
    "missing checkpoint": (
        lambda tmp: [check_checkpoint(str(tmp / "no.nemo"), trust_unpinned=True).finding],
        "failed",
        "no.nemo: no such file",
        "give a .nemo file that is there, or a name on the hub or NGC",
    ),
    "another file than the pin says": (
        lambda tmp: [check_checkpoint(f"{DEMO / 'small.nemo'}@sha256:{'0' * 64}", trust_unpinned=False).finding],
        "failed",
        "and was to be 0000",
        "give a .nemo file that is there",
    ),
    "unpinned checkpoint": (
        lambda tmp: [check_checkpoint(str(DEMO / "small.nemo"), trust_unpinned=False).finding],
        "failed",
        "not pinned, so it may be another file tomorrow",
        "small.nemo@sha256:f8e9a31ada824ba66e7137b05ef420fe5ef5386d236e2a2d39170ababc364a1d if you mean today's",
    ),
    "model that is neither here nor to be had": (
        lambda tmp: [check_checkpoint("acme/speech", trust_unpinned=True).finding],
        "failed",
        "acme/speech: neither in the cache nor to be had from the hub",
        "give a .nemo file that is there",
    ),
}


def open_to_all(folder: Path) -> Path:
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o777)
    return folder / "cache"


def truncated(folder: Path) -> str:
    path = folder / "half.nemo"
    path.write_bytes((DEMO / "small.nemo").read_bytes()[:900_000])
    return str(path)


@pytest.mark.parametrize("planted", PLANTED)
def test_each_planted_problem_is_found_with_its_remedy(planted, tmp_path):
    ask, state, found, remedy = PLANTED[planted]
    (finding,) = ask(tmp_path)
    assert finding.state == state
    assert found in finding.found
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    "ask",
    [
        lambda tmp: packages.check_packages(WANTED, INSTALLED),
        lambda tmp: packages.check_packages(packages.required_packages(), packages.installed_versions()),
        lambda tmp: framework_check.check_frameworks(SOUND),
        lambda tmp: framework_check.check_frameworks(SOUND | {"driver": False, "devices": []}),
        lambda tmp: framework_check.check_devices(SOUND, 8, GIB, GIB),
        lambda tmp: framework_check.check_devices(SOUND | {"devices": [GPU | {"capability": [8, 9]}]}, 8, GIB, GIB),
        lambda tmp: framework_check.check_devices(SOUND | {"devices": []}, 8, GIB, GIB),
        lambda tmp: environment({}),
        lambda tmp: formats.check_formats(),
        lambda tmp: disk_space.check_private_cache(tmp / "cache", 0, 10 * GIB),
        lambda tmp: disk_space.check_hub_cache(Path("/proc/huggingface"), 0, 0),
        lambda tmp: disk_space.check_output(tmp / "out", 10 * GIB),
        lambda tmp: disk_space.check_memory(GIB, 10 * GIB),
        lambda tmp: check_hub("https://hub.example", offline=True, needed=True, reach=unreachable),
        lambda tmp: [check_checkpoint(str(DEMO / "small.nemo"), trust_unpinned=True).finding],
    ],
)
def test_what_is_well_is_said_to_be(ask, tmp_path):
    assert [finding.state for finding in ask(tmp_path)] == ["ok"]


def test_a_check_that_breaks_is_a_finding():
    def broken():
        raise ImportError("no module named soundfile; see https://user:secret@index.example")

    (finding,) = run_check("audio", broken)
    assert (finding.state, finding.check) == ("failed", "audio")
    assert finding.found == "cannot be looked at: ImportError: no module named soundfile; see https://***@index.example"


def doctor(folder: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "cli.app", "doctor", "--json", folder / "found.json", *words]
    return subprocess.run(
        list(map(str, line)), cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=240
    )


def test_the_command_finds_all_at_once_what_is_wrong_here_even_a_torch_that_breaks(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch.so: not there')")
    api = f"http://127.0.0.1:{free_port()}/api"
    done = doctor(
        tmp_path,
        *("--small", truncated(tmp_path), "--large", tmp_path / "no.nemo", "--trust-unpinned", "--output", "/proc/out"),
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
        PREFECT_API_URL=api,
        HF_HUB_OFFLINE="0",
        HF_ENDPOINT=api.removesuffix("/api"),
    )
    assert done.returncode == 1, done.stderr
    found = {one["check"]: one for one in json.loads((tmp_path / "found.json").read_text())}
    states = {name: one["state"] for name, one in found.items()}
    assert states == {
        "packages": "ok",
        "environment": "ok",
        "NeMo, torch": "failed",
        "cpu": "ok",
        "server": "failed",
        "audio": "ok",
        "half.nemo": "failed",
        "no.nemo": "failed",
        "memory": "ok",
        "private copies": "ok",
        "hub's cache": "ok",
        "hub": "warning",
        "output": "failed",
        "smoke run": "warning",
    }
    assert found["NeMo, torch"]["found"] == "cannot be imported: OSError: libtorch.so: not there"
    assert f"{api} does not answer" in found["server"]["found"]
    assert "prefect server start" in found["server"]["remedy"]
    lines = done.stdout.splitlines()
    assert sum(line.startswith("         remedy: ") for line in lines) == sum(
        one["remedy"] is not None for one in found.values()
    )
    assert "failed   server: " in done.stdout


def test_on_a_sound_machine_an_utterance_goes_through_a_whole_run(tmp_path):
    done = doctor(tmp_path, "--output", tmp_path / "out", PREFECT_API_URL="")
    assert done.returncode == 0, done.stdout
    found = {one["check"]: one for one in json.loads((tmp_path / "found.json").read_text())}
    assert {one["state"] for one in found.values()} == {"ok"}
    assert "small.nemo: ctc, 1.9 MB, pinned" in found["small.nemo"]["found"]
    assert "an utterance went through a whole run" in found["smoke run"]["found"]
    assert not (tmp_path / "out").exists()

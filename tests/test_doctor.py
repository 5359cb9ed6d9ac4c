"""The doctor reports every planted problem with its remedy."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DEMO, ROOT
from winnow.doctor import disk_space, formats, framework_check, packages, smoke_run
from winnow.doctor.checkpoint_check import check_checkpoint, check_hub
from winnow.doctor.checks import check_by_run, check_environment
from winnow.doctor.findings import run_check
from winnow.doctor.installation import required_packages

GIB = 2**30
GPU = {"name": "H100", "free": 70 * GIB, "total": 80 * GIB, "capability": [9, 0]}
HEALTHY = {"nemo": "3.0.0", "torch": "2.13.0", "cuda": "13.0", "driver": True, "archs": ["sm_80", "sm_90"]}
HEALTHY |= {"devices": [GPU]}
REQUIRED = ["fastapi<0.151", "nemo_toolkit[asr]>=3.0", "prefect>=3.8.8,<4", "sqlalchemy>=2.0,<2.1", "torch>=2.10"]
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
    return {package: version for package, version in INSTALLED.items() if package != name}


PLANTED = {
    "fastapi without a server": (
        lambda tmp: packages.check_packages(REQUIRED, INSTALLED | {"fastapi": "0.151.0"}),
        "failed",
        "fastapi 0.151.0 is installed: with this version the Prefect server does not start",
        'pip install --constraint constraints.txt "fastapi<0.151"',
    ),
    "SQLAlchemy without schedules": (
        lambda tmp: packages.check_packages(REQUIRED, INSTALLED | {"sqlalchemy": "2.1.0"}),
        "failed",
        "sqlalchemy 2.1.0 is installed: with this version Prefect never creates scheduled runs, and reports no error",
        'pip install --constraint constraints.txt "sqlalchemy<2.1,>=2.0"',
    ),
    "old torch": (
        lambda tmp: packages.check_packages(REQUIRED, INSTALLED | {"torch": "2.9.1+cu128"}),
        "failed",
        "torch 2.9.1+cu128 is installed: this version opens checkpoints unsafely",
        'pip install --constraint constraints.txt "torch>=2.10"',
    ),
    "no NeMo": (
        lambda tmp: packages.check_packages(REQUIRED, without("nemo-toolkit")),
        "failed",
        "nemo_toolkit is not installed",
        'pip install --constraint constraints.txt "nemo_toolkit[asr]>=3.0"',
    ),
    "torch that cannot be imported": (
        lambda tmp: framework_check.check_frameworks(
            {"error": "import failed: OSError: libcudart.so.13: no such file"}
        ),
        "failed",
        "import failed: OSError: libcudart.so.13: no such file",
        "pip install --constraint constraints.txt --editable . in a new virtual environment",
    ),
    "driver too old for torch": (
        lambda tmp: framework_check.check_frameworks(HEALTHY | {"devices": []}),
        "failed",
        "NeMo 3.0.0, torch 2.13.0, CUDA 13.0: this machine has an NVIDIA driver, but torch finds no GPU",
        "update the driver, or install torch for an older CUDA version (nvidia-smi shows the driver's)",
    ),
    "torch for the CPU beside a GPU": (
        lambda tmp: framework_check.check_frameworks(HEALTHY | {"cuda": None, "devices": []}),
        "warning",
        "NeMo 3.0.0, torch 2.13.0, without CUDA: this machine has an NVIDIA driver, but this build "
        "of torch cannot use its GPUs",
        "install the build of torch that pytorch.org lists for the driver's CUDA version",
    ),
    "GPU newer than torch": (
        lambda tmp: framework_check.check_devices(HEALTHY | {"devices": [GPU | {"capability": [12, 0]}]}, 8, GIB, GIB),
        "failed",
        "H100, 70.0 GiB of 80.0 GiB free: this build of torch (sm_80, sm_90) does not support this GPU",
        "install the build of torch that pytorch.org lists for this GPU",
    ),
    "GPU in use": (
        lambda tmp: framework_check.check_devices(HEALTHY | {"devices": [GPU | {"free": 3 * GIB}]}, 8, GIB, GIB),
        "warning",
        "H100, 3.0 GiB of 80.0 GiB free",
        "see nvidia-smi for the processes that use the rest, or choose another GPU with CUDA_VISIBLE_DEVICES",
    ),
    "weights that run code": (
        lambda tmp: check_environment({"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}),
        "failed",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 lets checkpoints run code when they are loaded",
        "unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",
    ),
    "missing codec": (
        lambda tmp: formats.check_formats(formats.FORMATS | {"mp3": ("MP3", "MPEG_LAYER_IV")}),
        "failed",
        "mp3 cannot be decoded: ",
        "pip install --force-reinstall soundfile av (their wheels have the decoders), or convert audio to flac",
    ),
    "cache that others may write to": (
        lambda tmp: disk_space.check_checkpoint_cache(folder_open_to_all(tmp), 0, 10 * GIB),
        "failed",
        "other users can write to it",
        "run chmod 700 on it, or set WINNOW_CACHE to another folder",
    ),
    "cache that cannot be written to": (
        lambda tmp: disk_space.check_checkpoint_cache(Path("/proc/winnow/checkpoints"), 0, 10 * GIB),
        "failed",
        "/proc/winnow/checkpoints: not writable",
        "make it writable, or set WINNOW_CACHE to a folder of yours",
    ),
    "hub's cache that cannot be written to": (
        lambda tmp: disk_space.check_hub_cache(Path("/proc/huggingface"), GIB, 10 * GIB),
        "failed",
        "/proc/huggingface: not writable",
        "make it writable, or set HF_HOME to another folder",
    ),
    "full disk": (
        lambda tmp: disk_space.check_checkpoint_cache(tmp / "cache", 4 * GIB, 3 * GIB),
        "failed",
        "3.0 GiB free, 9.0 GiB needed",
        "free some space, or set WINNOW_CACHE to a folder of yours on another disk",
    ),
    "full disk below the output": (
        lambda tmp: disk_space.check_output(tmp / "out" / "run", GIB // 2),
        "failed",
        "0.5 GiB free, 1.0 GiB needed",
        "free some space, or choose an output on another disk",
    ),
    "output that cannot be written to": (
        lambda tmp: disk_space.check_output(Path("/proc/out"), 10 * GIB),
        "failed",
        "/proc/out: not writable",
        "make it writable, or choose another output folder",
    ),
    "output with other files": (
        lambda tmp: disk_space.check_output(ROOT, 10 * GIB),
        "failed",
        "neither empty nor the folder of a run",
        "choose another output folder",
    ),
    "too little memory": (
        lambda tmp: disk_space.check_memory(0, GIB // 2),
        "failed",
        "0.5 GiB free, about 1.0 GiB needed",
        "stop other programs, or use a machine with more memory",
    ),
    "too little memory for the models": (
        lambda tmp: disk_space.check_memory(4 * GIB, 5 * GIB),
        "warning",
        "5.0 GiB free, about 9.0 GiB needed",
        "stop other programs, or choose smaller models",
    ),
    "unreachable hub that is needed": (
        lambda tmp: check_hub("https://hub.example", offline=False, needed=True, ping=unreachable),
        "failed",
        "https://hub.example does not answer ([Errno 111] Connection refused)",
        "set HF_ENDPOINT to a mirror",
    ),
    "unreachable hub that is not needed": (
        lambda tmp: check_hub("https://hub.example", offline=False, needed=False, ping=unreachable),
        "warning",
        "none of these models comes from it",
        "set HF_ENDPOINT to a mirror",
    ),
    "truncated checkpoint": (
        lambda tmp: [check_checkpoint(truncated_checkpoint(tmp), trust_unpinned=True).finding],
        "failed",
        "failed its preflight",
        "download it again from its publisher",
    ),
    "missing checkpoint": (
        lambda tmp: [check_checkpoint(str(tmp / "no.nemo"), trust_unpinned=True).finding],
        "failed",
        "no.nemo: no such file",
        "give another model: a .jsonl file of transcripts, or a .nemo file, a name on the Hugging Face hub",
    ),
    "another file than the pin says": (
        lambda tmp: [check_checkpoint(f"{DEMO / 'small.nemo'}@sha256:{'0' * 64}", trust_unpinned=False).finding],
        "failed",
        "checksum mismatch: expected sha256 0000",
        "give another model: ",
    ),
    "unpinned checkpoint": (
        lambda tmp: [check_checkpoint("parakeet-tdt_ctc-110m", trust_unpinned=False).finding],
        "failed",
        "not pinned, so another file may have this name tomorrow",
        "pin today's as parakeet-tdt_ctc-110m@sha256:… (winnow download-models parakeet-tdt_ctc-110m",
    ),
    "model that is neither here nor available": (
        lambda tmp: [check_checkpoint("acme/speech", trust_unpinned=True).finding],
        "failed",
        "acme/speech: neither in the cache nor available from the hub",
        "give another model: ",
    ),
}


def folder_open_to_all(folder: Path) -> Path:
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o777)
    return folder / "cache"


def truncated_checkpoint(folder: Path) -> str:
    path = folder / "half.nemo"
    path.write_bytes((DEMO / "small.nemo").read_bytes()[:900_000])
    return str(path)


@pytest.mark.parametrize("planted", PLANTED)
def test_each_planted_problem_is_reported_with_its_remedy(planted, tmp_path):
    check, state, message, remedy = PLANTED[planted]
    (finding,) = check(tmp_path)
    assert finding.state == state
    assert message in finding.message
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    "check",
    [
        lambda tmp: packages.check_packages(REQUIRED, INSTALLED),
        lambda tmp: packages.check_packages(required_packages(), packages.installed_versions()),
        lambda tmp: framework_check.check_frameworks(HEALTHY),
        lambda tmp: framework_check.check_frameworks(HEALTHY | {"driver": False, "devices": []}),
        lambda tmp: framework_check.check_devices(HEALTHY, 8, GIB, GIB),
        lambda tmp: framework_check.check_devices(HEALTHY | {"devices": [GPU | {"capability": [8, 9]}]}, 8, GIB, GIB),
        lambda tmp: framework_check.check_devices(HEALTHY | {"devices": []}, 8, GIB, GIB),
        lambda tmp: check_environment({}),
        lambda tmp: formats.check_formats(),
        lambda tmp: disk_space.check_checkpoint_cache(tmp / "cache", 0, 10 * GIB),
        lambda tmp: disk_space.check_hub_cache(Path("/proc/huggingface"), 0, 0),
        lambda tmp: disk_space.check_output(tmp / "out", 10 * GIB),
        lambda tmp: disk_space.check_memory(GIB, 10 * GIB),
        lambda tmp: check_hub("https://hub.example", offline=True, needed=True, ping=unreachable),
        lambda tmp: [check_checkpoint(str(DEMO / "small.nemo"), trust_unpinned=False).finding],
    ],
)
def test_each_check_of_a_healthy_machine_passes(check, tmp_path):
    assert [finding.state for finding in check(tmp_path)] == ["ok"]


def test_exception_in_a_check_becomes_a_finding():
    def broken():
        raise ImportError("no module named soundfile; see https://user:secret@index.example")

    (finding,) = run_check("audio", broken)
    assert (finding.state, finding.check) == ("failed", "audio")
    assert finding.message == "the check failed: ImportError: no module named soundfile; see https://***@index.example"


def test_installed_wheel_is_checked_against_its_own_metadata(tmp_path):
    from_metadata = required_packages(tmp_path / "pyproject.toml")
    assert {"prefect<4,>=3.8.8", "nemo-toolkit[asr]>=3.0"} <= set(from_metadata)
    assert not any(package.startswith("pytest") for package in from_metadata)  # only for development
    (finding,) = packages.check_packages(from_metadata, packages.installed_versions())
    assert finding.state == "ok"


def test_smoke_run_without_the_demo_or_a_model_is_not_tried():
    (finding,) = check_by_run(True, [], False, smoke_run.smoke_run)
    assert finding.message == "not tried: no model was given, and the demo's is only in a checkout"
    assert finding.remedy == "give a model, e.g. winnow doctor --small nvidia/parakeet-tdt_ctc-110m --trust-unpinned"


def test_smoke_run_without_the_demo_transcribes_a_tone(tmp_path):
    manifest, audio = smoke_run.write_manifest(tmp_path, demo=tmp_path / "none.jsonl")
    assert json.loads(manifest.read_text()) == {"audio_filepath": "tone.wav", "duration": 2.0, "text": "tone"}
    assert (audio / "tone.wav").stat().st_size > 60_000


def doctor(folder: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.app", "doctor", "--json", folder / "findings.json", *words]
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=240
    )


def test_command_reports_all_problems_at_once_even_if_torch_cannot_be_imported(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch.so: not there')")
    api = f"http://127.0.0.1:{free_port()}/api"
    process = doctor(
        tmp_path,
        *(
            "--small",
            truncated_checkpoint(tmp_path),
            "--large",
            tmp_path / "no.nemo",
            "--trust-unpinned",
            "--output",
            "/proc/out",
        ),
        PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)]),
        PREFECT_API_URL=api,
        HF_HUB_OFFLINE="0",
        HF_ENDPOINT=api.removesuffix("/api"),
    )
    assert process.returncode == 1, process.stderr
    findings = {row["check"]: row for row in json.loads((tmp_path / "findings.json").read_text())}
    states = {name: finding["state"] for name, finding in findings.items()}
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
        "checkpoint cache": "ok",
        "hub cache": "ok",
        "hub": "warning",
        "output": "failed",
        "smoke run": "warning",
    }
    assert findings["NeMo, torch"]["message"] == "import failed: OSError: libtorch.so: not there"
    assert f"{api} does not answer" in findings["server"]["message"]
    assert "prefect server start" in findings["server"]["remedy"]
    lines = process.stdout.splitlines()
    assert sum(line.startswith("         remedy: ") for line in lines) == sum(
        finding["remedy"] is not None for finding in findings.values()
    )
    assert "failed   server: " in process.stdout


@pytest.mark.soak
@pytest.mark.usefixtures("demo_small")  # which is thereby examined here, where NeMo is imported already
def test_smoke_run_curates_one_utterance_on_a_healthy_machine(tmp_path, prefect_server):
    server = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "home")}
    process = doctor(tmp_path, "--output", tmp_path / "out", **server)
    assert process.returncode == 0, process.stdout
    findings = {row["check"]: row for row in json.loads((tmp_path / "findings.json").read_text())}
    assert {finding["state"] for finding in findings.values()} == {"ok"}
    assert "small.nemo: ctc, 1.9 MB, pinned" in findings["small.nemo"]["message"]
    assert "one utterance went through a complete run" in findings["smoke run"]["message"]
    assert not (tmp_path / "out").exists()

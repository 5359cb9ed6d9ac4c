"""torch and NeMo, imported in a separate process because their import may fail in any way, and the GPUs that they see.

python -m winnow.doctor.framework_check    # print the facts as JSON
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from winnow.doctor.findings import Finding, failed, ok, warning
from winnow.doctor.installation import PIP, REINSTALL
from winnow.parameters.redaction import error_line
from winnow.reports.formatting import format_gibibytes

IMPORT_TIMEOUT = 180.0  # seconds for both imports, on a machine under load
MIN_FREE_FRACTION = 0.5  # of a GPU's memory

Facts = Mapping[str, Any]


def probe_frameworks() -> Facts:
    """Return what a new process reports about torch and NeMo; only `error`, a sentence, if it reports nothing."""
    command = [sys.executable, "-P", "-m", "winnow.doctor.framework_check"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"importing torch and NeMo took more than {IMPORT_TIMEOUT:.0f} s"}
    try:
        facts: Facts = json.loads(process.stdout.splitlines()[-1])
        return facts
    except (ValueError, IndexError):
        last = process.stderr.strip().splitlines()[-1:] or ["no output"]
        return {
            "error": f"the process that imports torch and NeMo ended with exit code {process.returncode}: {last[0]}"
        }


def check_frameworks(facts: Facts) -> Iterator[Finding]:
    """Check that NeMo and torch can be imported, and that torch supports the installed driver."""
    name = "NeMo, torch"
    if error := facts.get("error"):
        yield failed(name, error, REINSTALL)
        return
    cuda = facts["cuda"]
    versions = f"NeMo {facts['nemo']}, torch {facts['torch']}, {f'CUDA {cuda}' if cuda else 'without CUDA'}"
    if facts["driver"] and not cuda:
        message = f"{versions}: this machine has an NVIDIA driver, but this build of torch cannot use its GPUs"
        yield warning(name, message, install_torch("the driver's CUDA version"))
    elif facts["driver"] and not facts["devices"]:
        remedy = "update the driver, or install torch for an older CUDA version (nvidia-smi shows the driver's)"
        yield failed(name, f"{versions}: this machine has an NVIDIA driver, but torch finds no GPU", remedy)
    else:
        yield ok(name, versions)


def check_devices(facts: Facts, cores: int, free: int, total: int) -> Iterator[Finding]:
    """Report each GPU with its free memory; without a GPU, the CPU with the machine's memory (bytes)."""
    for i, gpu in enumerate(facts.get("devices", ())):
        name = f"cuda:{i}"
        memory = f"{gpu['name']}, {format_gibibytes(gpu['free'])} of {format_gibibytes(gpu['total'])} free"
        if not supports_capability(gpu["capability"], facts["archs"]):
            message = f"{memory}: this build of torch ({', '.join(facts['archs'])}) does not support this GPU"
            yield failed(name, message, install_torch("this GPU"))
        elif gpu["free"] < MIN_FREE_FRACTION * gpu["total"]:
            remedy = (
                "see nvidia-smi for the processes that use the rest, or choose another GPU with CUDA_VISIBLE_DEVICES"
            )
            yield warning(name, memory, remedy)
        else:
            yield ok(name, memory)
    if not facts.get("devices"):
        yield ok("cpu", f"no GPU; {cores} cores, {format_gibibytes(free)} of {format_gibibytes(total)} free")


def install_torch(target: str) -> str:
    """Return the remedy for a build of torch that does not fit the machine."""
    return f"install the build of torch that pytorch.org lists for {target} ({PIP} …)"


def supports_capability(capability: list[int], archs: list[str]) -> bool:
    """Tell whether a build for these architectures runs on a GPU of this compute capability.

    Binary code (sm) runs on GPUs of the same major version from its minor version on, intermediate code (compute) on
    all later ones.
    """
    number = 10 * capability[0] + capability[1]
    builds = [(kind, int(digits)) for kind, digits in re.findall(r"(sm|compute)_(\d+)", " ".join(archs))]
    return any(built <= number and (kind == "compute" or built // 10 == capability[0]) for kind, built in builds)


def main() -> None:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    driver = not hidden and Path("/proc/driver/nvidia/version").exists()
    try:
        import torch

        from winnow.engines.nemo.nemo_import import import_asr_models

        import_asr_models()
        import nemo

        facts = {"torch": torch.__version__, "nemo": nemo.__version__, "cuda": torch.version.cuda, "driver": driver}
        print(json.dumps(facts | {"archs": torch.cuda.get_arch_list(), "devices": gpu_facts()}))
    except BaseException as error:
        print(json.dumps({"error": f"import failed: {error_line(error)}"}))


def gpu_facts() -> list[dict[str, Any]]:
    """Return name, memory (bytes) and compute capability of each GPU that torch sees."""
    import torch

    gpus = []
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(i)
        memory = {"free": free, "total": total, "capability": torch.cuda.get_device_capability(i)}
        gpus.append({"name": torch.cuda.get_device_name(i)} | memory)
    return gpus


if __name__ == "__main__":
    main()

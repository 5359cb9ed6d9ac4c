"""torch and NeMo, imported in a process of their own, since that may fail in every way; and the devices that they see.

python -m winnow.doctor.framework_check    # what it finds, as JSON
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from winnow.doctor.findings import REINSTALL, Finding, failed, ok, warning

PATIENCE = 180.0  # seconds for both imports, on a machine under load
CROWDED = 0.5  # of a GPU's memory, which somebody else has

Facts = Mapping[str, Any]


def probe_frameworks() -> Facts:
    """What a fresh process says of torch and NeMo; `error` is why it says nothing more."""
    line = [sys.executable, "-m", "winnow.doctor.framework_check"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"torch and NeMo are not imported after {PATIENCE:.0f} s"}
    try:
        found: Facts = json.loads(done.stdout.splitlines()[-1])
        return found
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        return {"error": f"the process that imports torch and NeMo ended with {done.returncode}: {last[0]}"}


def check_frameworks(facts: Facts) -> Iterator[Finding]:
    """Whether NeMo and torch can be imported, and torch is built for the driver that is there."""
    name = "NeMo, torch"
    if error := facts.get("error"):
        yield failed(name, error, REINSTALL)
        return
    built = facts["cuda"]
    said = f"NeMo {facts['nemo']}, torch {facts['torch']}, {f'CUDA {built}' if built else 'without CUDA'}"
    if facts["driver"] and not built:
        remedy = "install the torch that pytorch.org names for its CUDA, --constraint constraints.txt"
        yield warning(name, f"{said}: there is an NVIDIA driver, and its GPUs are not used", remedy)
    elif facts["driver"] and not facts["devices"]:
        remedy = "a newer driver, or a torch for an older CUDA: nvidia-smi shows which one the driver has"
        yield failed(name, f"{said}: there is an NVIDIA driver, and torch finds no GPU with it", remedy)
    else:
        yield ok(name, said)


def check_devices(facts: Facts, cores: int, free: int, total: int) -> Iterator[Finding]:
    """Each GPU with its free memory, or the CPU with the machine's."""
    for i, gpu in enumerate(facts.get("devices", ())):
        name, said = f"cuda:{i}", f"{gpu['name']}, {gibibytes(gpu['free'])} of {gibibytes(gpu['total'])} free"
        if not supports_capability(gpu["capability"], facts["archs"]):
            found = f"{said}: torch is built for {', '.join(facts['archs'])}, which this GPU is none of"
            yield failed(name, found, "install the torch that pytorch.org names for it, --constraint constraints.txt")
        elif gpu["free"] < CROWDED * gpu["total"]:
            yield warning(name, said, "nvidia-smi shows who has the rest; CUDA_VISIBLE_DEVICES chooses another")
        else:
            yield ok(name, said)
    if not facts.get("devices"):
        yield ok("cpu", f"no GPU; {cores} cores, {gibibytes(free)} of {gibibytes(total)} free")


def supports_capability(capability: list[int], archs: list[str]) -> bool:
    """Code of the same generation runs on its later GPUs (sm_86 has sm_80's), and what is compiled there on all."""
    number = 10 * capability[0] + capability[1]
    known = [(kind, int(digits)) for kind, digits in re.findall(r"(sm|compute)_(\d+)", " ".join(archs))]
    return any(built <= number and (kind == "compute" or built // 10 == capability[0]) for kind, built in known)


def gibibytes(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"


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
        print(json.dumps({"error": f"cannot be imported: {type(error).__name__}: {error}".splitlines()[0]}))


def gpu_facts() -> list[dict[str, Any]]:
    import torch

    found = []
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(i)
        has = {"free": free, "total": total, "capability": torch.cuda.get_device_capability(i)}
        found.append({"name": torch.cuda.get_device_name(i)} | has)
    return found


if __name__ == "__main__":
    main()

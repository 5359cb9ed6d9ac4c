"""Rules for a file of weights: an undamaged zip as torch writes it, with named tensors of finite numbers only.

The tensors that pass are saved anew, because torch and Python may read a zip differently.
"""

import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

from winnow.engines.nemo.archive import RuleViolation

MAX_PICKLE_BYTES = 64 * 2**20  # names and shapes, which take a few hundred bytes per tensor
ENTRY = re.compile(r"[^/\\\x00-\x1f]+/(data\.pkl|byteorder|version|data/\d+|\.[a-z_]+|\.data/serialization_id)")


def check_zip(file: IO[bytes]) -> None:
    """Refuse a zip that is not as torch writes it, before torch opens it; torch does not check CRCs."""
    if file.read(4) != b"PK\x03\x04":
        raise RuleViolation("not a zip as torch (1.6 or later) saves weights")
    try:
        with zipfile.ZipFile(file) as archive:
            check_entries(archive.infolist())
            if bad := archive.testzip():
                raise RuleViolation(f"{bad!r} is damaged: CRC mismatch")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise RuleViolation(f"unreadable zip: {error}") from error


def check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise RuleViolation(f"duplicate entry {max(names, key=names.count)!r}")
    if len({name.partition("/")[0] for name in names}) > 1:
        raise RuleViolation("files in more than one folder")
    for entry in entries:
        if not ENTRY.fullmatch(entry.filename):
            raise RuleViolation(f"unexpected entry {entry.filename!r}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise RuleViolation(f"{entry.filename!r} is compressed or encrypted, which torch never does")
        if entry.filename.endswith("/data.pkl") and entry.file_size > MAX_PICKLE_BYTES:
            raise RuleViolation(
                f"{entry.filename!r}: {entry.file_size:,} bytes, at most {MAX_PICKLE_BYTES:,} are allowed"
            )


def load_weights(path: Path) -> dict[str, Any]:
    """Return the tensors by name, which stay on disk; refuse anything but dense, finite tensors."""
    import torch

    with path.open("rb") as file:
        check_zip(file)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise RuleViolation(f"torch refuses to load these weights safely: {torch_reason(error)}") from error
    if not isinstance(state, dict):
        raise RuleViolation(f"expected tensors by name, got {type(state).__name__}")
    for name, value in state.items():
        check_tensor(name, value)
    tensors = OrderedDict((name, value.detach()) for name, value in state.items())
    tensors._metadata = module_versions(getattr(state, "_metadata", None))  # type: ignore[attr-defined]
    return tensors


def module_versions(metadata: Any) -> dict[str, dict[str, int]]:
    """Return the versions of the modules that saved the tensors, by name; torch adapts tensors of old versions."""
    entries = metadata.items() if isinstance(metadata, dict) else ()
    return {
        name: {"version": facts["version"]}
        for name, facts in entries
        if isinstance(name, str) and isinstance(facts, dict) and isinstance(facts.get("version"), int)
    }


def check_tensor(name: Any, value: Any) -> None:
    import torch

    if not isinstance(name, str) or type(value) not in (torch.Tensor, torch.nn.Parameter):
        raise RuleViolation(f"{name!r}: expected a tensor, got {type(value).__name__}")
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        raise RuleViolation(f"{name!r}: not a dense CPU tensor ({value.layout}, {value.dtype}, {value.device})")
    if value.numel() * value.itemsize > value.untyped_storage().nbytes():
        raise RuleViolation(f"{name!r}: shape {tuple(value.shape)} exceeds the stored data")
    # with such weights, some decoders transcribe nothing without any error
    if (value.is_floating_point() or value.is_complex()) and not value.isfinite().all():
        raise RuleViolation(f"{name!r}: not all weights are finite")


def torch_reason(error: Exception) -> str:
    """Return the line of torch's advice that names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    cause = next((line for line in lines if "Unsupported" in line or "error:" in line), lines[0])
    return cause.split(" was not an allowed global")[0]

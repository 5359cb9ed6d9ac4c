"""What a file of weights may be: torch's zip, whole, with tensors of finite numbers by name, and nothing else."""

import re
import zipfile
from pathlib import Path
from typing import IO, Any

from winnow.engines.nemo.archive import RuleViolation

MAX_PICKLE_BYTES = 64 * 2**20  # names and shapes, which take a few hundred bytes a tensor
ENTRY = re.compile(r"[^/\\\x00-\x1f]+/(data\.pkl|byteorder|version|data/\d+|\.[a-z_]+|\.data/serialization_id)")


def check_zip(file: IO[bytes]) -> None:
    """Refuse what is not stored as torch stores it, before torch sees it; torch reads no CRC."""
    if file.read(4) != b"PK\x03\x04":
        raise RuleViolation("not a zip as torch saves weights (since 1.6)")
    try:
        with zipfile.ZipFile(file) as archive:
            check_entries(archive.infolist())
            if bad := archive.testzip():
                raise RuleViolation(f"{bad!r} is damaged: its CRC is another")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise RuleViolation(f"a zip that cannot be read: {error}") from error


def check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise RuleViolation(f"{max(names, key=names.count)!r} is there twice")
    if len({name.partition("/")[0] for name in names}) > 1:
        raise RuleViolation("has files in more than one folder")
    for entry in entries:
        if not ENTRY.fullmatch(entry.filename):
            raise RuleViolation(f"{entry.filename!r} is no part of saved weights")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise RuleViolation(f"{entry.filename!r} is compressed or encrypted, which torch never does")
        if entry.filename.endswith("/data.pkl") and entry.file_size > MAX_PICKLE_BYTES:
            raise RuleViolation(
                f"{entry.filename!r}: of {entry.file_size:,} bytes, where {MAX_PICKLE_BYTES:,} are the most"
            )


def check_tensors(path: Path) -> None:
    """Refuse what is not a mapping of names to dense tensors of finite numbers; they stay on disk meanwhile."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise RuleViolation(f"torch loads nothing but weights, and these it refuses: {torch_reason(error)}") from error
    if not isinstance(state, dict):
        raise RuleViolation(f"no tensors by name, but {type(state).__name__}")
    for name, value in state.items():
        check_tensor(name, value)


def check_tensor(name: Any, value: Any) -> None:
    import torch

    if not isinstance(name, str) or type(value) not in (torch.Tensor, torch.nn.Parameter):
        raise RuleViolation(f"{name!r} is no tensor, but {type(value).__name__}")
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        raise RuleViolation(f"{name!r} is no plain tensor ({value.layout}, {value.dtype}, {value.device})")
    if value.numel() * value.itemsize > value.untyped_storage().nbytes():
        raise RuleViolation(f"{name!r}: {tuple(value.shape)} is more than is stored of it")
    # some decoders hide such weights, and read nothing
    if (value.is_floating_point() or value.is_complex()) and not value.isfinite().all():
        raise RuleViolation(f"not all weights are finite ({name!r} to begin with)")


def torch_reason(error: Exception) -> str:
    """The line of torch's advice that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    found = next((line for line in lines if "Unsupported" in line or "error:" in line), lines[0])
    return found.split(" was not an allowed global")[0]

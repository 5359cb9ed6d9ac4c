"""Datasets of the Hugging Face hub by name, from a stand-in server: rows without audio first, then their files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.stand_in_datasets import CONVERTED_COMMIT, datasets_hub
from tests.stand_in_hub import COMMIT

PROGRAM = """
import json, sys
from winnow.audio.decode import load_clip
from winnow.corpora.registry import open_source
for location in sys.argv[1:]:
    try:
        rows = list(open_source(location).scan())
        print(json.dumps([[row["text"], len(load_clip(row["path"], None, None, 16000, 60.0).samples)] for row in rows]))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""

README = """---
configs:
- {config_name: en, data_files: [{split: train, path: en/train-*}, {split: test, path: en/test-*}]}
- {config_name: de, data_files: [{split: train, path: de/*}]}
---
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return what the corpora at several names are, and the requests of the first."""
    folder = tmp_path_factory.mktemp("hub")
    write = Files(folder)
    write("ann/one", COMMIT, "data/train-00000-of-00002.parquet", "a", "b")
    write("ann/one", COMMIT, "data/train-00001-of-00002.parquet", "c")
    write("ann/several", COMMIT, "en/train-00000-of-00001.parquet", "a")
    write("ann/several", COMMIT, "en/test-00000-of-00001.parquet", "b")
    write("ann/several", COMMIT, "de/train-00000-of-00001.parquet", "c")
    (folder / "ann/several" / COMMIT / "README.md").write_text(README)
    for name in ("ann/other", "ann/unconverted"):
        (folder / name / COMMIT).mkdir(parents=True)
        (folder / name / COMMIT / "train.csv").write_text("file,text\na.wav,a\n")
    write("ann/other", CONVERTED_COMMIT, "default/train/0000.parquet", "a")
    locations = {
        "one split": "hf://datasets/ann/one",
        "a commit": f"hf://datasets/ann/one@{COMMIT}?split=train",
        "a file": f"hf://datasets/ann/one@{COMMIT}/data/train-00001-of-00002.parquet",
        "a pattern": "hf://datasets/ann/one/data/*.parquet",
        "no configuration": "hf://datasets/ann/several",
        "no split": "hf://datasets/ann/several?config=en",
        "configuration and split": "hf://datasets/ann/several?config=en&split=test",
        "converted": "hf://datasets/ann/other",
        "not converted": "hf://datasets/ann/unconverted",
        "no dataset": "hf://datasets/ann/none",
        "no revision": "hf://datasets/ann/one@v9",
        "another option": "hf://datasets/ann/one?subset=en",
    }
    with datasets_hub(folder) as hub:
        environment = os.environ | {
            "HF_ENDPOINT": hub.endpoint,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(folder / "home"),
            "WINNOW_CACHE": str(folder / "cache"),
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *locations.values()],
            env=environment,
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        )
    found = dict(zip(locations, map(json.loads, done.stdout.splitlines()), strict=True))
    return found | {"requests": hub.requests}


class Files:
    """Write Parquet files into a hub's folder, with a tone for each text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, commit: str, file: str, *texts: str) -> None:
        path = self.folder / name / commit / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"audio": [{"bytes": tone(), "path": None} for _ in texts], "text": texts}), path)


def tone() -> bytes:
    import io

    import numpy as np
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(16_000) / 10).astype("float32") / 2, 16_000, format="WAV")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("one split", "abc"),
        ("a commit", "abc"),
        ("a file", "c"),
        ("a pattern", "abc"),
        ("configuration and split", "b"),
        ("converted", "a"),
    ],
)
def test_rows_of_a_dataset_are_listed_and_decoded(answers, name, texts):
    assert answers[name] == [[text, 16_000] for text in texts]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no configuration", "available configs: ['en', 'de']"),
        ("no split", "has the splits train, test: name one, as in ?split=train"),
        ("not converted", "not in Parquet but train.csv, and the hub has not converted it"),
        ("no dataset", "doesn't exist on the Hub or cannot be accessed"),
        ("no revision", "doesn't exist"),
        ("another option", "expected hf://datasets/OWNER/NAME@REVISION?config=en&split=train"),
    ],
)
def test_name_that_means_no_one_split_is_refused_in_words(answers, name, message):
    assert answers[name].startswith("ManifestError: hf://datasets/ann/")
    assert message in answers[name]
    assert "\n" not in answers[name]

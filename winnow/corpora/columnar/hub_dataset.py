"""Datasets of the Hugging Face hub by name: `hf://datasets/OWNER/NAME@REVISION?config=en&split=train`.

`datasets` says which files these are, as in `load_dataset`. The hub's own conversion to Parquet stands in for datasets
in other forms. A name without a revision is that of today; places of audio name the commit. The token is HF_TOKEN's, or
that of `hf auth login`.
"""

import re
from functools import cached_property
from urllib.parse import parse_qsl

from winnow.corpora.columnar.parquet import SUFFIXES
from winnow.corpora.columnar.remote_parquet import RemoteParquet
from winnow.errors import ManifestError

NAME = re.compile(r"hf://datasets/(?P<name>[^/@?]+/[^/@?]+)(?:@(?P<revision>[^?]+))?/?(?:\?(?P<options>.*))?")
CONVERTED = "refs/convert/parquet"  # the revision with the hub's conversion
OPTIONS = ("config", "split")


class HubDataset(RemoteParquet):
    """One split of one configuration of a dataset on the hub."""

    form = "dataset of the Hugging Face hub"

    @staticmethod
    def claims(location: str) -> bool:
        return NAME.fullmatch(location) is not None

    @cached_property
    def versions(self) -> dict[str, str]:
        """The commit of each file, by its URL, which has it. Raises ManifestError."""
        matched = NAME.fullmatch(self.location)
        options = dict(parse_qsl(matched["options"] or "")) if matched else {}
        if matched is None or options.keys() - set(OPTIONS):
            raise ManifestError(f"{self.location}: expected hf://datasets/OWNER/NAME@REVISION?config=en&split=train")
        try:
            splits = files_by_split(matched["name"], matched["revision"], options.get("config"))
        except Exception as error:  # of datasets, huggingface_hub, their HTTP libraries, and of YAML in a README
            said = " ".join(str(error).splitlines()[:2])
            remedy = ": add ?config=NAME" if "onfig" in said else ""
            raise ManifestError(f"{self.location}: {said}{remedy}") from error
        split = options.get("split", next(iter(splits)) if len(splits) == 1 else "")
        if split not in splits:
            first = next(iter(splits), "train")
            names = ", ".join(splits) or "none"
            raise ManifestError(f"{self.location}: has the splits {names}: name one, as in ?split={first}")
        if other := [file for file in splits[split] if not file.lower().endswith(SUFFIXES)]:
            raise ManifestError(
                f"{self.location}: not in Parquet but {other[0].rpartition('/')[2]}, and the hub has not converted it: "
                "download it, and give the folder or file"
            )
        return dict.fromkeys(splits[split], "")


def files_by_split(name: str, revision: str | None, config: str | None) -> dict[str, list[str]]:
    """Return the URLs of the files of each split, with the commit in them.

    They are those of the hub's conversion where today's dataset is in another form, or needs a program to be read.
    """
    import datasets

    datasets.disable_progress_bars()
    try:
        builder = datasets.load_dataset_builder(name, config, revision=revision)
        splits = {str(split): list(map(str, files)) for split, files in (builder.config.data_files or {}).items()}
        if revision is not None or all(file.lower().endswith(SUFFIXES) for files in splits.values() for file in files):
            return splits
    except (RuntimeError, datasets.exceptions.DataFilesNotFoundError):
        if revision is not None:
            raise
        splits = {}
    return converted(name, config) or splits


def converted(name: str, config: str | None) -> dict[str, list[str]]:
    """Return the files of each split in the hub's conversion, where they lie in CONFIG/SPLIT; none if there is none.

    A split of which only the beginning is converted has another name there: `partial-train`.
    """
    from huggingface_hub import HfApi, HfFileSystem
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        commit = HfApi().dataset_info(name, revision=CONVERTED).sha
    except RevisionNotFoundError:
        return {}
    configs: dict[str, dict[str, list[str]]] = {}
    for file in sorted(HfFileSystem().glob(f"datasets/{name}@{commit}/*/*/*.parquet")):
        *_, own, split, _ = str(file).split("/")
        configs.setdefault(own, {}).setdefault(split, []).append(f"hf://{file}")
    if config is None and len(configs) > 1:
        raise ValueError(f"Config name is missing: {', '.join(configs)}")
    return configs.get(config, {}) if config else next(iter(configs.values()), {})

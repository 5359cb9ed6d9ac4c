"""Engines whose models are folders: a prefix, and after it a folder or a repository on the Hugging Face hub."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from winnow.digests import PIN_PREFIX
from winnow.engines.engine import Checkpoint, Engine
from winnow.engines.model_folder import digest_of, file_digests
from winnow.errors import CheckpointError
from winnow.input_files import expand_home
from winnow.parameters.redaction import error_line
from winnow.pins import cut_pin, split_pin, without_pin

HUB_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<commit>[0-9a-f]{40}))?")


class FolderEngine(Engine):
    """An engine of folders. Subclasses say how names begin, which files a model has, and its family."""

    prefix: str
    patterns: Sequence[str]
    """The files that a download consists of, as patterns of their names."""

    def raise_if_unknown(self, name: str) -> None:
        """Raise CheckpointError for a name that is neither a folder nor on the hub."""
        raise CheckpointError(f"{name}: neither a folder nor a name on the hub")

    def files_of(self, folder: Path, name: str) -> list[str]:
        """Return the names of the files of the model in a folder; raises CheckpointError if it has none."""
        raise NotImplementedError

    def family_of(self, folder: Path, name: str) -> str:
        """Return the family of the model in a folder; raises CheckpointError unless it is one of the engine's."""
        raise NotImplementedError

    def hub_name(self, name: str) -> tuple[str, str | None] | None:
        """Return the repository on the hub that a name means, and its commit if there is one."""
        match = HUB_NAME.fullmatch(name.removeprefix(self.prefix))
        return (match["repository"], match["commit"]) if match else None

    def claims(self, model_name: str) -> bool:
        return model_name.startswith(self.prefix)

    def check_name(self, model_name: str) -> None:
        name = split_pin(model_name)[0]
        if extra := self.missing_extra():
            raise CheckpointError(f"{name}: requires {extra}, which is not installed")
        if (folder := self.local_folder(name)) is not None:
            self.files_of(folder, name)
        elif self.hub_name(name) is None:
            self.raise_if_unknown(name)

    def resolve(self, model_name: str) -> Checkpoint:
        """Find or download the folder, check that its files are data alone, and compute their digest."""
        self.check_name(model_name)
        name, pin = split_pin(model_name)
        folder = self.local_folder(name) or self.download(name)
        family = self.family_of(folder, name)
        sha256 = digest_of(file_digests(folder, self.files_of(folder, name), name))
        if pin and pin != sha256:
            raise CheckpointError(f"{name}: checksum mismatch: expected sha256 {pin}, got {sha256}")
        return Checkpoint(
            name=f"{self.prefix}{folder.absolute()}" if self.local_folder(name) else name,
            path=folder.absolute(),
            family=family,
            sha256=sha256,
            pinned=not self.needs_pin(model_name),
        )

    def find_here(self, checkpoint: Checkpoint) -> Checkpoint:
        """Return a checkpoint, which may have been resolved on another machine, as it is on this one."""
        return checkpoint if checkpoint.path.is_dir() else self.resolve(checkpoint.pinned_name)

    def needs_pin(self, model_name: str) -> bool:
        """Tell whether a hub may have other files under the name tomorrow; a local folder is the user's own."""
        name, pin = cut_pin(model_name)
        if pin or self.local_folder(name) is not None:
            return False
        hub = self.hub_name(name)
        return hub is None or hub[1] is None

    def current_pin(self, model_name: str) -> str | None:
        folder = self.find_downloaded(model_name)
        name = without_pin(model_name)
        if folder is None:
            return None
        return f"{name}{PIN_PREFIX}{digest_of(file_digests(folder, self.files_of(folder, name), name))}"

    def find_downloaded(self, model_name: str) -> Path | None:
        name = without_pin(model_name)
        folder = self.local_folder(name)
        if folder is not None:
            return folder if folder.is_dir() else None
        try:
            return self.snapshot(name, only_here=True)
        except Exception:
            return None

    def family_here(self, model_name: str) -> str | None:
        folder = None if self.missing_extra() else self.find_downloaded(model_name)
        try:
            return self.family_of(folder, without_pin(model_name)) if folder else None
        except CheckpointError:
            return None

    def bytes_to_download(self, model_name: str) -> int | None:
        return None if not self.needs_hub(model_name) or self.find_downloaded(model_name) else 0

    def bytes_of(self, path: Path) -> int:
        return sum((path / file).stat().st_size for file in self.files_of(path, str(path)))

    def needs_hub(self, model_name: str) -> bool:
        return self.local_folder(without_pin(model_name)) is None

    def local_folder(self, name: str) -> Path | None:
        """Return the folder that a name is the path of; None for a name on the hub."""
        place = name.removeprefix(self.prefix)
        folder = expand_home(place)
        return folder if place.startswith(("/", "./", "../", "~")) or folder.is_dir() else None

    def snapshot(self, name: str, only_here: bool = False) -> Path:
        """Return the folder in the cache of huggingface_hub, downloaded unless only what is here is wanted."""
        from huggingface_hub import snapshot_download

        hub = self.hub_name(name)
        if hub is None:
            raise CheckpointError(f"{name}: not a name on the hub")
        fetch: Callable[..., str] = snapshot_download
        return Path(fetch(hub[0], revision=hub[1], allow_patterns=list(self.patterns), local_files_only=only_here))

    def download(self, name: str) -> Path:
        """Return the folder of a model from the hub; raises CheckpointError if it is not to be had."""
        try:
            return self.snapshot(name)
        except Exception as error:
            raise CheckpointError(
                f"{name}: neither in the cache nor available from the hub ({error_line(error)})"
            ) from error

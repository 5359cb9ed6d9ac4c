"""Warm-up: have models at hand before a run needs them, and say which files their names mean today."""

import logging
import sys
import threading
import time
from typing import cast
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows.progress import EVERY, shown
from flows.with_parameters import with_parameters
from tasks.download import download_model
from winnow.errors import DownloadFailed
from winnow.models.download import DownloadedModel, expand_folders
from winnow.parameters.maintenance import DownloadModels

PARALLEL_DOWNLOADS = 4  # models that are fetched or examined at the same time

log = logging.getLogger("winnow")
log.setLevel(logging.INFO)


class DownloadProgress:
    """How much of the models is there: told from the threads that fetch them."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.ready: set[str] = set()
        self.bytes: dict[str, tuple[int, int | None]] = {}
        self.told = time.monotonic()
        self.turn = threading.Lock()
        self.artifact = cast(
            UUID, create_progress_artifact(0.0, key="download-models-progress", description=self.words)
        )

    @property
    def words(self) -> str:
        there = sum(there for there, _ in self.bytes.values())
        in_all = sum(size or there for there, size in self.bytes.values())
        fetched = f", {there / 1e6:,.1f} of {in_all / 1e6:,.1f} MB fetched" if in_all else ""
        return f"{len(self.ready)} of {len(self.names)} models ready{fetched}"

    @property
    def share(self) -> float:
        """Half of a model is to fetch it, half to copy and examine it."""
        halves = [0.5 * there / size for name, (there, size) in self.bytes.items() if size and name not in self.ready]
        return (len(self.ready) + sum(halves)) / len(self.names)

    def tell(self, name: str, there: int, size: int | None) -> None:
        with self.turn:
            self.bytes[name] = there, size
            self.show()

    def done(self, row: DownloadedModel) -> None:
        with self.turn:
            if row.cause is None:
                self.ready.add(row.model)
            self.show(last=len(self.ready) == len(self.names))
        size = f"{row.bytes / 1e6:,.1f} MB" if row.bytes else ""
        log.info(f"{row.model}: {row.state}, {size}, {row.seconds:.1f} s" if size else f"failed: {row.cause}")

    def show(self, last: bool = False) -> None:
        for one in shown:
            one(self.share, self.words)
        if last or time.monotonic() - self.told > EVERY:
            self.told = time.monotonic()
            update_progress_artifact(self.artifact, 100 * self.share, description=self.words)


def flow_label() -> str:
    names = flow_run.parameters["models"]
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else str(names[0])


@flow(
    name="download-models", flow_run_name=flow_label, task_runner=ThreadPoolTaskRunner(max_workers=PARALLEL_DOWNLOADS)
)  # type: ignore[arg-type]
@with_parameters(DownloadModels)
def download_models(settings: DownloadModels) -> list[DownloadedModel]:
    """What became of each model; one that fails stops no other, and fails the run once all others are there."""
    names = expand_folders(settings.models)
    fetching = DownloadProgress(names)
    futures = [download_model.submit(name, settings.trust_unpinned, fetching.tell, fetching.done) for name in names]
    for future in futures:
        future.wait()
    rows = [cast(DownloadedModel, future.state.result(raise_on_failure=False)) for future in futures]
    create_table_artifact([row.shown() for row in rows], key="download-models", description="Models at hand")
    if any(row.cause for row in rows):
        raise DownloadFailed(rows)
    return rows


if __name__ == "__main__":
    from cli.app import main

    main(["download-models", *sys.argv[1:]])

"""Download models before a run needs them, and show which files their names mean today."""

import logging
import sys
import threading
from typing import Any, cast

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows.orchestrator import inert_cells
from flows.progress import ProgressArtifact, listeners
from flows.with_parameters import with_parameters
from tasks.download import download_model
from winnow.errors import DownloadFailed
from winnow.models.download import DownloadedModel, expand_folders
from winnow.parameters.maintenance import DownloadModels
from winnow.printable import one_line

PARALLEL_DOWNLOADS = 4  # models that are downloaded or checked at the same time

log = logging.getLogger("winnow")
log.setLevel(logging.INFO)


class DownloadProgress:
    """How far the downloads are, reported by the threads that download."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.ready: set[str] = set()
        self.bytes: dict[str, tuple[int, int | None]] = {}
        self.lock = threading.Lock()
        self.artifact = ProgressArtifact("download-models-progress", self.description)

    @property
    def description(self) -> str:
        downloaded = sum(downloaded for downloaded, _ in self.bytes.values())
        total = sum(size or downloaded for downloaded, size in self.bytes.values())
        megabytes = f", {downloaded / 1e6:,.1f} of {total / 1e6:,.1f} MB downloaded" if total else ""
        return f"{len(self.ready)} of {len(self.names)} models ready{megabytes}"

    @property
    def share(self) -> float:
        """The share that is done, 0 to 1; the download is half of a model, the copy and the preflight the other."""
        pending = [sizes for name, sizes in self.bytes.items() if name not in self.ready]
        halves = [0.5 * downloaded / size for downloaded, size in pending if size]
        return (len(self.ready) + sum(halves)) / len(self.names)

    def report(self, name: str, downloaded: int, size: int | None) -> None:
        with self.lock:
            self.bytes[name] = downloaded, size
            self.publish()

    def finish(self, model: DownloadedModel) -> None:
        with self.lock:
            if model.cause is None:
                self.ready.add(model.model)
            self.publish()
        if model.cause is not None:
            log.info("failed: %s", model.cause)
        else:
            log.info("%s: %s, %.1f MB, %.1f s", model.model, model.state, (model.bytes or 0) / 1e6, model.seconds)

    def publish(self) -> None:
        self.artifact.show(self.share, self.description)
        for listener in listeners:
            listener("models", self.share, self.description)


def flow_label() -> str:
    names = flow_run.parameters["models"]
    return one_line(f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else str(names[0]))


RUNNER: Any = ThreadPoolTaskRunner(max_workers=PARALLEL_DOWNLOADS)


@flow(name="download-models", flow_run_name=flow_label, task_runner=RUNNER)
@with_parameters(DownloadModels)
def download_models(settings: DownloadModels) -> list[DownloadedModel]:
    """Return the outcome of each download; raises DownloadFailed, after all others are done, if one failed."""
    names = expand_folders(settings.models)
    progress = DownloadProgress(names)
    futures = [download_model.submit(name, settings.trust_unpinned, progress.report, progress.finish) for name in names]
    for future in futures:
        future.wait()
    models = [cast(DownloadedModel, future.state.result(raise_on_failure=False)) for future in futures]
    create_table_artifact(
        [inert_cells(model.table_row()) for model in models], key="download-models", description="Models"
    )
    if any(model.cause for model in models):
        raise DownloadFailed(models)
    return models


if __name__ == "__main__":
    from cli.app import main

    main(["download-models", *sys.argv[1:]])

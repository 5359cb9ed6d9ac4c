"""The commands about models, this machine and Prefect servers. Each imports what it needs."""

import sys
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from cli.console import JsonFile, console
from winnow.parameters.maintenance import Benchmark, Doctor, DownloadModels

NO_SETTINGS = Doctor()


def download_models(
    settings: Annotated[DownloadModels, Parameter(name="*", negative_iterable="")], *, json: JsonFile = None
) -> None:
    """Download and check models before a run needs them, and print the name that pins each.

    A model that is already on this machine is not downloaded again, and an interrupted download is continued. If one
    model fails, the others are still downloaded.

    Args:
        json: File to which the result of each model is written; without a file, standard output
    """
    from cli.download_models import download_models

    download_models(settings, json)


def doctor(settings: Annotated[Doctor, Parameter(name="*")] = NO_SETTINGS, *, json: JsonFile = None) -> None:
    """Check for anything that would stop a run on this machine, and name the remedy.

    Each check prints one line: ok, warning or failed. The last check is a whole run over one utterance, so the command
    takes up to a minute. The exit code is 0 if no check failed, otherwise 1.

    Args:
        json: File to which the findings are written; without a file, standard output
    """
    from cli.doctor import doctor

    sys.exit(0 if doctor(settings, json) else 1)


def benchmark(
    settings: Annotated[Benchmark, Parameter(name="*", consume_multiple=True, negative_iterable="")],
    *,
    json: JsonFile = None,
) -> None:
    """Measure the accuracy, speed, memory and load time of models on a manifest and this machine.

    Results are compared with earlier ones in the output folder, for the same models, manifest and device.

    Args:
        json: File to which the figures are written; without a file, standard output
    """
    from cli.benchmark import benchmark

    benchmark(settings, json)


def deploy(*, notify: str | None = None) -> None:
    """Create or update work pools, deployments and automations on a Prefect server.

    Args:
        notify: URL that gets a POST for each run that fails or crashes, such as a Slack or Mattermost webhook
    """
    from deployments.deploy import deploy

    deploy(notify, partial(console.print, soft_wrap=True, markup=False))


def serve() -> None:
    """Run flows that are started from Prefect's UI on this machine, without work pools or workers, until stopped."""
    from deployments.serve import serve_flows

    serve_flows(partial(console.print, soft_wrap=True, markup=False))

"""Names of flow runs, which appear in Prefect's UI and in workers' terminals."""

from collections.abc import Callable
from pathlib import Path

from prefect.runtime import flow_run

from winnow.printable import one_line


def run_name(template: str) -> Callable[[], str]:
    """Return a function that names a flow run after its parameters, such as `{manifest} to {output}`.

    Of a manifest's path or URL, only the name of the file is in it.
    """

    def name() -> str:
        names = {name: Path(flow_run.parameters[name]).name for name in {"manifest"} & set(flow_run.parameters)}
        return one_line(template.format(**flow_run.parameters | names))

    return name

"""Names of flow runs, which appear in Prefect's UI and in workers' terminals."""

from collections.abc import Callable

from prefect.runtime import flow_run

from winnow.printable import one_line


def run_name(template: str) -> Callable[[], str]:
    """Return a function that names a flow run after its parameters, such as `{manifest.name} to {output}`."""

    def name() -> str:
        return one_line(template.format(**flow_run.parameters))

    return name

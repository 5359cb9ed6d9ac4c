"""What the process imports from which commands are forked, with Prefect's defaults set before, as a command does it."""

from importlib import import_module

from flows.server.environment import set_prefect_defaults

set_prefect_defaults()
for module in ("cli.app", "cli.run", "flows.curate"):
    import_module(module)

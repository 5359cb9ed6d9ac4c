"""Checks that the models of a run can follow its engine options."""

from winnow.engines.engine import Checkpoint
from winnow.engines.registry import engine_for
from winnow.errors import OptionError
from winnow.parameters.engine import EngineOptions


def check_options(options: EngineOptions, checkpoints: list[Checkpoint]) -> None:
    """Raise OptionError if an option is set that none of a run's checkpoints can follow."""
    refusals = [refused(options, checkpoint) for checkpoint in checkpoints]
    for option, requirement in refusals[0].items():
        if all(option in refusal for refusal in refusals):
            models = ", ".join(f"{checkpoint.name} ({checkpoint.family})" for checkpoint in checkpoints)
            raise OptionError(f"engine.{option} {requirement}; the models of this run are {models}")


def refused(options: EngineOptions, checkpoint: Checkpoint) -> dict[str, str]:
    """Map each option that is set and that a checkpoint cannot follow to what it requires."""
    engine = engine_for(checkpoint.name)
    of_endpoints = [] if engine.elsewhere else [name for name in EngineOptions.OF_ENDPOINTS if getattr(options, name)]
    return engine.refuses(checkpoint, options) | dict.fromkeys(of_endpoints, "requires an endpoint")

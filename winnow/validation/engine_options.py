"""Whether the models of a run can follow its engine options."""

from winnow.engines.checkpoint import HYBRID, PROMPTED, TRANSDUCERS, Checkpoint
from winnow.errors import OptionError
from winnow.parameters.engine import EngineOptions


def check_options(options: EngineOptions, checkpoints: list[Checkpoint]) -> None:
    """Refuse what none of a run's models can do."""
    families = {checkpoint.family for checkpoint in checkpoints}
    names = ", ".join(f"{checkpoint.name} ({checkpoint.family})" for checkpoint in checkpoints)
    if options.decoder and not families & HYBRID:
        raise OptionError(f"engine.decoder is for hybrid checkpoints, and there is none: {names}")
    if options.cuda_graphs and not families & TRANSDUCERS:
        raise OptionError(f"engine.cuda_graphs is for transducers, and there is none: {names}")
    if options.timestamps and not families & {"ctc", *TRANSDUCERS}:
        raise OptionError(f"engine.timestamps needs a CTC or transducer checkpoint, and there is none: {names}")
    if options.language is not None and not families & PROMPTED:
        raise OptionError(f"engine.language is for models with a prompt (canary), and there is none: {names}")
    for option in ("target_language", "punctuation"):
        if getattr(options, option) is not None and "multitask" not in families:
            raise OptionError(f"engine.{option} is for models with a prompt (canary), and there is none: {names}")

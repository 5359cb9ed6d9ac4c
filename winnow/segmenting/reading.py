"""The passes in which a model reads segments, and says how likely a sentence is in them."""

from winnow.engines.registry import engine_for
from winnow.models.auto_select import resolve_models
from winnow.models.passes import Pass, make_passes
from winnow.parameters.curation import Curation
from winnow.validation.engine_options import check_options


def reading_pass(reading: Curation) -> Pass:
    """Return the pass, with times of words if the model has them; raises CheckpointError and OptionError."""
    (model_pass,) = make_passes(resolve_models(reading))
    check_options(model_pass.options, model_pass.checkpoints)
    options = model_pass.options.model_copy(update={"timestamps": True})
    refused = engine_for(model_pass.checkpoint.name).refuses(model_pass.checkpoint, options)
    return model_pass if "timestamps" in refused else model_pass.model_copy(update={"options": options})


def asking_pass(reading: Pass) -> Pass | None:
    """Return the pass that answers questions about what was read; None for a model that gives no evidence."""
    if not engine_for(reading.checkpoint.name).scores_texts:
        return None
    options = {"evidence": True, "timestamps": False, "doubtful_words": False}
    return reading.model_copy(update={"options": reading.options.model_copy(update=options)})

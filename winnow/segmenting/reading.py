"""The pass in which a model reads segments, so that texts can be placed in them."""

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

"""The fields of a pydantic model as the parameters of a flow, so that each is declared once."""

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, cast

from prefect import State
from prefect.logging import get_run_logger
from prefect.states import Failed
from pydantic import BaseModel, ValidationError

from flows.server.open_flow_runs import register_flow_run
from winnow.errors import OptionError, WinnowError
from winnow.parameters.redaction import error_line
from winnow.parameters.settings import option_errors


class OneLineErrors(logging.Filter):
    """Leaves out the traceback of Winnow's own errors, whose sentence explains them, unless the log is at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, WinnowError) and not logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            record.exc_info = record.exc_text = None
        return True


logging.getLogger("prefect.task_runs").addFilter(OneLineErrors())

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")


def failed(problem: WinnowError, cause: Exception) -> State[Any]:
    """Return the state of a flow run that ends with this error: its message is the error's sentence.

    Who calls the flow gets the error itself. The traceback of its cause is in the run's log at level DEBUG only, so
    that the log does not begin with a page of it.
    """
    get_run_logger().debug("where the error was raised", exc_info=cause)
    sentence = " ".join([error_line(problem), *(f"({note})" for note in getattr(problem, "__notes__", []))])
    return Failed(message=sentence, data=problem)


def with_parameters(model: type[M]) -> Callable[[Callable[[M], R]], Callable[..., R]]:
    """Turn a function of a model into one of the model's fields, as keywords, whose errors become states.

    Prefect reads signatures and docstrings. Those of the new function have the description, the limits and the default
    of every field, so that forms show them and a trigger with a wrong value is refused.
    """

    def decorate(function: Callable[[M], R]) -> Callable[..., R]:
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[field.annotation, field],
                default=inspect.Parameter.empty if field.is_required() else field.default,
            )
            for name, field in model.model_fields.items()
        ]

        @functools.wraps(function)
        def flat(**values: object) -> R:
            with register_flow_run():
                try:
                    return function(model(**values))
                except ValidationError as error:
                    return cast(R, failed(OptionError(option_errors(error)), error))
                except WinnowError as error:
                    return cast(R, failed(error, error))

        flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        described = [f"    {name}: {field.description or ''}" for name, field in model.model_fields.items()]
        flat.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *described])
        flat.__annotations__ = {p.name: p.annotation for p in parameters}
        flat.takes = model  # type: ignore[attr-defined]
        del flat.__wrapped__
        return flat

    return decorate

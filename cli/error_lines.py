"""What a command prints of an error: a line for each wrong option, or the one line of Winnow's own errors."""

import traceback
from functools import reduce
from operator import getitem

from cyclopts import App, ArgumentCollection, CycloptsError
from pydantic import ValidationError

from winnow.errors import WinnowError
from winnow.parameters.redaction import redact_text
from winnow.parameters.settings import describe_errors, flag, option_errors
from winnow.printable import one_line, printable


def format_error(error: CycloptsError, app: App) -> str:
    """Format what is wrong with the arguments of a command, one line per option."""
    if not isinstance(cause := error.__cause__, ValidationError):
        return f"winnow: {one_line(redact_text(str(error)))}"
    command = reduce(getitem, error.command_chain or (), app).assemble_argument_collection()
    whole = error.argument.name if error.argument and not error.argument.children else ""
    lines = [
        f"{flag}: {message}" if (flag := option_name(place, command) if place else whole) else message
        for place, message in describe_errors(cause)
    ]
    return "\n".join(f"winnow: {one_line(line)}" for line in lines)


def option_name(place: tuple[str, ...], arguments: ArgumentCollection) -> str:
    """Return the option of a command that sets the value at this place in its parameters."""
    for length in range(len(place), 0, -1):
        for argument in arguments:
            if argument.keys == place[:length]:
                return ".".join([argument.name, *place[length:]]).replace("_", "-")
    return flag(*place)


def explain(error: Exception) -> tuple[str, int]:
    """Return what a command prints of an error that ends it, and its exit code."""
    from winnow.runs.store_errors import store_error

    if isinstance(error, ValidationError):  # recorded parameters that no longer fit
        return f"winnow: {one_line(option_errors(error))}", 2
    known = error if isinstance(error, WinnowError) else store_error(error)
    if known is None:
        return printable("".join(traceback.format_exception(error)).rstrip()), 1
    notes = (f"({one_line(note)})" for note in getattr(error, "__notes__", []))
    return " ".join(["winnow:", str(known), *notes]), known.exit_code

"""The records of Winnow's log: one line each, without credentials, and inert wherever they are shown."""

from logging import LogRecord

from winnow.inert import one_line
from winnow.parameters.redaction import redact_text


def make_inert(record: LogRecord) -> bool:
    """Format a record's message for terminals, files and Prefect's UI; a filter that lets every record pass."""
    record.msg, record.args = one_line(redact_text(record.getMessage())), None
    return True

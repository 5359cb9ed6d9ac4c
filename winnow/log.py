"""The records of Winnow's log: one printable line each, without credentials."""

from logging import LogRecord

from winnow.parameters.redaction import redact_text
from winnow.printable import one_line


def make_printable(record: LogRecord) -> bool:
    """Format a record's message for terminals, files and Prefect's UI; a filter that lets every record pass."""
    record.msg, record.args = one_line(redact_text(record.getMessage())), None
    return True

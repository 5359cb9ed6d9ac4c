"""What is wrong with an input row that is not an utterance."""

import msgspec


class BadUtterance(Exception):
    """An input row that is not an utterance.

    `reason` is a key of `winnow.schema.QUARANTINE_REASONS`; `detail` says what was found, without its content.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def json_type(value: object) -> str:
    """Name the JSON type of a decoded value, with its article; a field that is absent is `missing`."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", msgspec.UnsetType: "missing"}
    return "null" if value is None else names.get(type(value), "a number")

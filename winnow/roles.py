"""Roles: which of a run's models a column belongs to."""

Role = str
"""`small`, `large`, `large2` … in a cascade; `model1`, `model2` … and `ensemble`, the result of their vote."""

ENSEMBLE = "ensemble"
"""The role of the vote."""


def band_of(role: Role) -> str:
    """Return the column with the decision of the gate after this model: accept, escalate or reject."""
    return "band" if role == "small" else f"{role}_band"


def position_of(role: Role) -> int:
    """Return the position of a model in its cascade, from 1; models of an ensemble are independent, and all 1."""
    return 1 + int(role.removeprefix("large") or 1) if is_larger(role) else 1


def previous_role(role: Role) -> Role:
    """Return the role before a larger model, whose escalated utterances it transcribes."""
    number = position_of(role) - 1
    return {1: "small", 2: "large"}.get(number, f"large{number - 1}")


def is_larger(role: Role) -> bool:
    """Tell whether the model comes after another one in a cascade."""
    return role.startswith("large")

"""Whose hypotheses a column holds: small, large, large2 … in a cascade; model1, model2 … and ensemble."""

Role = str
"""Whose a reading is: small, large, large2 and so on in a cascade; model1, model2 and so on, and the ensemble's own."""


def band_of(role: Role) -> str:
    """The column in which the gate behind this model's reading says who goes on."""
    return "band" if role == "small" else f"{role}_band"


def position_of(role: Role) -> int:
    """Which of a cascade's models this is, from one; one for those of an ensemble, who read one after the other."""
    return 1 + int(role.removeprefix("large") or 1) if is_larger(role) else 1


def previous_role(role: Role) -> Role:
    """The model whose readings this larger one reads again."""
    number = position_of(role) - 1
    return {1: "small", 2: "large"}.get(number, f"large{number - 1}")


def is_larger(role: Role) -> bool:
    """Whether this is a model of a cascade that others read before."""
    return role.startswith("large")


ENSEMBLE = "ensemble"
"""Whose the reading of the vote is."""

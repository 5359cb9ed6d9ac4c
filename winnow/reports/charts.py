"""The charts of the report and of the threshold sweep, but for the flow of hours.

A chart of the report is a function of its `ReportContext` that returns a figure; `sections.SECTIONS` says where it is
shown. Matplotlib is imported when the first chart is drawn: most processes draw none.
"""

import base64
import io
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

from winnow.evidence.calibration import Calibration
from winnow.evidence.languages import OTHERS
from winnow.gates.criteria import GateLimits, criteria_for
from winnow.reports.distributions import DOUBT_EDGES, WER_EDGES, Histogram
from winnow.reports.summary import Report, ReportContext
from winnow.sweep.threshold_sweep import RuleCost

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOOD, BAD = "#2f9e6e", "#d9694f"
INKS = ("#334155", "#3b6fb5", "#a2559c", "#b08a2e")
WIDTH, MARGINS = 8, (0.95, 0.3, 0.47, 0.25)  # inches; left, right, below and above the axes
MOST_LIMITS = 8  # of a chart, since their labels lie below each other; the table of the section has all
FLATTENED = 5
"""A bar that is so many times as high as the next one flattens the others."""


class Chart(NamedTuple):
    """A chart with its caption, and when it applies; `page_only` if Prefect's UI does not show it."""

    caption: str
    draw: Callable[[ReportContext], "Figure"]
    applies: Callable[[Report], object] = lambda report: True
    page_only: bool = False


def wer_histogram(context: ReportContext) -> "Figure":
    """Draw utterances by WER: of the selected hypotheses, and of the small model or each of an ensemble's models."""
    report = context.report
    by_wer = report.gates and criteria_for(report.gates.by, "small")[0] == "wer"
    gate = report.gates.limits["wer"] if report.gates and by_wer else GateLimits()
    limits = {"accept": gate.accept, "reject": gate.reject}
    figure, axes = histogram_figure(report.distributions["wer"], limits)
    axes.set(xlabel="WER (the last bar includes everything above 150%)", xlim=(0, WER_EDGES[-1]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def doubt_histogram(context: ReportContext) -> "Figure":
    """Draw utterances by doubt, with the highest that each model keeps, also in languages with limits of their own."""
    report = context.report
    figure, axes = histogram_figure(report.distributions["doubt"], limits_of_doubt(report.calibration))
    axes.set_xscale("symlog", linthresh=DOUBT_EDGES[1], linscale=0.3)
    axes.set_xticks([0, *(10.0**power for power in range(-2, 4))])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="doubt (logarithmic; the last bar includes everything above 560)", xlim=(0, DOUBT_EDGES[-1]))
    return figure


def limits_of_doubt(calibration: Calibration | None) -> dict[str, float | None]:
    """Return the limit of each model by its label: the shared ones, then those of the first languages."""
    if calibration is None:
        return {}
    parts: list[tuple[str | None, Calibration]] = [(None, calibration), *calibration.languages.items()]
    limits: dict[str, float | None] = {
        f"limit of the {role} model{f' for {language}' if language else ''}": model.limit
        for language, part in parts
        for role, model in part.models.items()
        if language != OTHERS
    }
    return dict(list(limits.items())[:MOST_LIMITS])


def histogram_figure(made: Histogram, limits: dict[str, float | None]) -> "tuple[Figure, Axes]":
    """Draw a histogram: its first series filled, the others as lines, and limits as dotted lines.

    The vertical axis is logarithmic if one bar is so high that most others could not be seen.
    """
    figure, axes = new_figure(2.6)
    for (name, counts), colour in zip(made.counts.items(), cycle(INKS[-1:] + INKS), strict=False):
        first = name == next(iter(made.counts))
        style: dict[str, Any] = {"fill": True, "color": GOOD, "alpha": 0.75} if first else {"color": colour}
        axes.stairs(counts, made.edges, label=name, linewidth=1.2, **style)
    heights = sorted(next(iter(made.counts.values())))
    flattened = heights[-1] > FLATTENED * max(heights[-2], 1)
    if flattened:
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(ylabel="utterances (logarithmic)" if flattened else "utterances", ylim=(0, None))
    shown = {name: limit for name, limit in limits.items() if limit is not None and limit <= made.edges[-1]}
    for line, (name, limit) in enumerate(shown.items()):
        axes.axvline(limit, color=BAD, linestyle=":", linewidth=1)
        height = 1 - line / 10  # labels of limits that are close to each other lie below each other
        place: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", "va": "top"}
        if limit > made.edges[3 * len(made.edges) // 4]:
            place |= {"xytext": (-3, 0), "ha": "right"}
        else:
            place |= {"xytext": (3, 0), "ha": "left"}
        axes.annotate(name, (limit, height), color=BAD, fontsize=8, **place)
    axes.legend(frameon=False, fontsize=8)
    return figure, axes


def has_curves(report: Report) -> bool:
    """Tell whether planted errors say what the small model would find by other limits."""
    return bool(report.calibration and next(iter(report.calibration.models.values())).doubt)


def found_curves(context: ReportContext) -> "Figure":
    """Draw which share of replaced words the small model finds by doubt and by WER, by what that loses."""
    assert context.report.calibration
    small = next(iter(context.report.calibration.models.values()))
    figure, axes = new_figure(2.4)
    for name, curve, colour in (("by doubt", small.doubt, GOOD), ("by WER", small.wer, BAD)):
        points = sorted((point.lost, point.found["substitution"]) for point in curve if "substitution" in point.found)
        axes.step([lost for lost, _ in points], [found for _, found in points], where="post", color=colour, label=name)
    axes.set(xlabel="right references that are lost", ylabel="replaced words found", xlim=(0, 0.1), ylim=(0, 1.02))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(frameon=False, fontsize=8, loc="center right")
    return figure


def agreement_curve(context: ReportContext) -> "Figure":
    """Draw how many hours have at least a given agreement."""
    assert context.report.agreement
    curve = context.report.agreement.curve
    figure, axes = new_figure(2.2)
    axes.step([at_least for at_least, _ in curve], [hours for _, hours in curve], where="pre", color=GOOD)
    axes.set(xlabel="minimum agreement", ylabel="hours", xlim=(0, 1), ylim=(0, None))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def sweep_curves(costs: Sequence[RuleCost]) -> "Figure":
    """Draw the hours kept and their WER at every threshold, for each rule that has a limit."""
    from matplotlib.figure import Figure

    shown = [cost for cost in costs if cost.curve]
    figure = Figure(figsize=(8, 2.2 * max(len(shown), 1)), dpi=110, layout="constrained")
    for axes, cost in zip(figure.subplots(max(len(shown), 1), squeeze=False)[:, 0], shown, strict=False):
        thresholds = [point.threshold for point in cost.curve]
        axes.plot(thresholds, [point.kept.hours for point in cost.curve], color=GOOD, marker=".")
        axes.set(xlabel=f"{cost.rule.term} {cost.rule.operator}"[:80], ylim=(0, None))
        axes.set_ylabel("hours kept", color=GOOD)
        wer_axes = axes.twinx()
        wer_axes.plot(thresholds, [100 * (point.kept.wer or 0) for point in cost.curve], color=BAD, marker=".")
        wer_axes.set(ylim=(0, None))
        wer_axes.set_ylabel("their WER, %", color=BAD)
        axes.axvline(next(point.threshold for point in cost.curve if point.current), color=INKS[0], linestyle=":")
        for each in (axes, wer_axes):
            each.spines["top"].set_visible(False)
    return figure


def new_figure(height: float) -> "tuple[Figure, Axes]":
    """Return a figure of the page's width and this height (inches), with axes that have no frame above and right.

    The margins are stated, since a layout that Matplotlib computes has it draw everything twice.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=110)
    left, right, bottom, top = MARGINS
    sides = {"left": left / WIDTH, "right": 1 - right / WIDTH, "bottom": bottom / height, "top": 1 - top / height}
    axes = figure.subplots(gridspec_kw=sides)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def data_uri(figure: "Figure") -> str:
    """Return the figure as a PNG in a data URI, which every viewer of markdown shows without fetching anything."""
    content = io.BytesIO()
    figure.savefig(content, format="png", facecolor="white")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"

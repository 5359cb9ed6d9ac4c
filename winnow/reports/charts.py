"""The charts of the report and of the threshold sweep.

A chart of the report is a function of its `ReportContext` that returns a figure; `sections.SECTIONS` says where it is
shown. Matplotlib is imported when the first chart is drawn: most processes draw none.
"""

import base64
import io
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from winnow.gates.criteria import GateLimits, criteria_for
from winnow.reports.summary import ReportContext
from winnow.sweep.threshold_sweep import RuleCost

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOOD, RESCUED, BAD = "#2f9e6e", "#7cc6a4", "#d9694f"
INKS = ("#334155", "#3b6fb5", "#a2559c", "#b08a2e")
WIDTH, MARGINS = 8, (0.95, 0.15, 0.47, 0.25)  # inches; left, right, below and above the axes
WER_BINS = [step / 20 for step in range(31)]  # 0 to 1.5


class Chart(NamedTuple):
    """A chart with its caption."""

    caption: str
    draw: Callable[[ReportContext], "Figure"]


def outcome_bar(context: ReportContext) -> "Figure":
    """Draw one bar of all hours, divided by what became of them."""
    report = context.report
    figure, axes = new_figure(1.15)
    rescued = report.rescued.hours or 0.0
    pieces = [
        ("kept", report.kept_hours - rescued, GOOD),
        ("rescued by a larger model", rescued, RESCUED),
        ("dropped", report.dropped_hours, BAD),
    ]
    left = 0.0
    for name, hours, colour in pieces:
        if hours > 0:
            axes.barh(0, hours, left=left, color=colour, label=f"{name} {hours:.2f} h", height=0.6)
            left += hours
    axes.set(yticks=[], xlim=(0, max(left, 1e-9)), xlabel="hours")
    axes.spines["left"].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=8, borderpad=0)
    return figure


def wer_histogram(context: ReportContext) -> "Figure":
    """Draw utterances by WER: of the selected hypotheses, of the small model or each of an ensemble's models."""
    report, rows = context.report, context.rows
    cascade = "small_wer" in rows.schema.names
    models = {"small model": "small_wer"} if cascade else {role: f"{role}_wer" for role in report.speed}
    figure, axes = new_figure(2.6)
    axes.hist(
        clip_wer(rows["wer"]), WER_BINS, histtype="stepfilled", color=GOOD, alpha=0.75, label="selected hypothesis"
    )
    for (name, column), colour in zip(models.items(), cycle(INKS), strict=False):
        axes.hist(clip_wer(rows[column]), WER_BINS, histtype="step", color=colour, linewidth=1.2, label=name)
    by_wer = report.gates and criteria_for(report.gates.by, "small")[0] == "wer"
    limits = report.gates.limits["wer"] if report.gates and by_wer else GateLimits()
    for limit, label in ((limits.accept, "accept"), (limits.reject, "reject")):
        if limit is not None:
            axes.axvline(limit, color=BAD, linestyle=":", linewidth=1)
            axes.text(limit, axes.get_ylim()[1], f" {label}", color=BAD, fontsize=8, va="top")
    axes.set(xlabel="WER (the last bar includes everything above 150%)", ylabel="utterances", xlim=(0, WER_BINS[-1]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(frameon=False, fontsize=8)
    return figure


def agreement_curve(context: ReportContext) -> "Figure":
    """Draw how many hours have at least a given agreement."""
    rows = context.rows
    compared = rows.filter(pc.is_valid(rows["agreement"])).sort_by([("agreement", "descending")])
    figure, axes = new_figure(2.2)
    hours = compared["duration"].to_numpy().cumsum() / 3600
    axes.step(compared["agreement"].to_numpy(), hours, where="pre", color=GOOD)
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


def clip_wer(wer: pa.ChunkedArray) -> list[float]:
    return [min(rate, WER_BINS[-1]) for rate in wer.drop_null().to_pylist()]


def data_uri(figure: "Figure") -> str:
    """Return the figure as a PNG in a data URI, which every viewer of markdown shows without fetching anything."""
    content = io.BytesIO()
    figure.savefig(content, format="png", facecolor="white")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"

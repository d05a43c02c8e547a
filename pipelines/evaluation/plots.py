"""The report's plots, as SVG that lies inside the page: no files beside it, no scripts."""

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pipelines.evaluation.calibration import OutcomeScores
from pipelines.evaluation.evaluation import Evaluation

RELEASE_COLOUR = "#0f766e"
CHAMPION_COLOUR = "#d97706"
OTHER_COLOURS = (
    *("#7c8fb0", "#b8a99a", "#9b8bb4", "#94a3b8", "#c9b458", "#c3cad5"),
    *("#8fae8b", "#c48b8b", "#5f7f8f", "#d0a97a", "#a7a08f", "#7f7a9c"),
)
INK, MUTED, RULE = "#1e293b", "#64748b", "#e2e8f0"

_SLICES = {
    "user": "{} users",
    "item": "{} items",
    "history": "{} events before",
    "popularity": "Items of {} events",
    "age_days": "Items {} days old",
    "event": "By {}",
}
"""What a slice's value reads as, by the slice's kind."""

_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": RULE,
    "legend.frameon": False,
}


def colours(models: Sequence[str], release: str, champion: str = "champion") -> dict[str, str]:
    """A colour for each model; the release stands out, the champion is next, baselines are quiet."""
    quiet = [model for model in models if model not in (release, champion)]
    palette = {model: OTHER_COLOURS[n % len(OTHER_COLOURS)] for n, model in enumerate(quiet)}
    return palette | {release: RELEASE_COLOUR, champion: CHAMPION_COLOUR}


def spoken(name: str) -> str:
    """A name as a reader likes it: `personal_frequency` → `Personal frequency`, `ndcg@10` → `NDCG@10`."""
    if name.partition("@")[0] in ("ndcg", "mrr", "map", "f1"):
        return name.upper()
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def metric_bars(evaluation: Evaluation, metrics: Sequence[str], palette: Mapping[str, str]) -> str:
    """One panel of bars with 95 % intervals for each metric; one bar for each model."""
    with house_style("metric_bars"):
        models = list(evaluation.scores)
        figure = Figure(figsize=(9.6, 0.34 * len(models) + 1.0), layout="constrained")
        panels = figure.subplots(1, len(metrics), squeeze=False)[0]
        for panel, metric in zip(panels, metrics, strict=True):
            for row, model in enumerate(reversed(models)):
                found = evaluation.intervals[model].get(metric)
                if found is None or np.isnan(found.mean):
                    continue
                panel.barh(row, found.mean, color=palette[model], height=0.66)
                panel.plot([found.low, found.high], [row, row], color=INK, linewidth=1.1)
                panel.annotate(
                    f"{found.mean:.3f}",
                    (found.high, row),
                    xytext=(6, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8.5,
                )
            panel.set_title(spoken(metric))
            panel.set_yticks(range(len(models)), [spoken(m) for m in reversed(models)], color=INK)
            panel.tick_params(labelleft=panel is panels[0])
            panel.set_xticks([])
            panel.spines["bottom"].set_visible(False)
            panel.margins(x=0.32)
            panel.set_xlim(left=0)
        return _svg(figure)


def error_bars(
    errors: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, Sequence[float]]],
    release: str,
) -> str:
    """One panel of bars with 95 % intervals for each kind of error; one bar for each model."""
    palette = colours(list(errors), release)
    metrics = list(next(iter(errors.values())))
    with house_style("error_bars"):
        figure = Figure(figsize=(9.6, 0.34 * len(errors) + 1.0), layout="constrained")
        panels = figure.subplots(1, len(metrics), squeeze=False)[0]
        for panel, metric in zip(panels, metrics, strict=True):
            for row, model in enumerate(reversed(list(errors))):
                panel.barh(row, errors[model][metric], color=palette[model], height=0.66)
                panel.plot(list(intervals[model][metric]), [row, row], color=INK, linewidth=1.1)
            panel.set_title(metric.upper())
            panel.set_yticks(range(len(errors)), [spoken(m) for m in reversed(list(errors))], color=INK)
            panel.tick_params(labelleft=panel is panels[0])
            panel.grid(axis="x")
            panel.set_xlim(left=0)
        return _svg(figure)


def slice_dots(evaluation: Evaluation, models: Sequence[str], palette: Mapping[str, str]) -> str:
    """The headline metric with its interval in every slice that has users, one dot for each model."""
    with house_style("slice_dots"):
        first = evaluation.slice_intervals[models[0]]
        names = [name for name, found in first.items() if found.users]
        figure = Figure(figsize=(9.6, 0.36 * len(names) + 0.9), layout="constrained")
        panel = figure.subplots()
        for order, model in enumerate(models):
            shift = (order - (len(models) - 1) / 2) * 0.24
            for row, name in enumerate(reversed(names)):
                found = evaluation.slice_intervals[model][name]
                at = row - shift
                panel.plot([found.low, found.high], [at, at], color=palette[model], linewidth=2, alpha=0.55)
                panel.plot(
                    found.mean,
                    at,
                    "o",
                    color=palette[model],
                    markersize=5,
                    clip_on=False,
                    label=spoken(model) if row == 0 else None,
                )
        labels = [_slice_label(name, first[name].users) for name in names]
        kinds = [name.partition(":")[0] for name in names]
        for row in range(1, len(names)):
            if kinds[row] != kinds[row - 1]:
                panel.axhline(len(names) - row - 0.5, color=RULE, linewidth=1)
        panel.set_yticks(range(len(names)), labels[::-1], color=INK)
        panel.set_ylim(-0.6, len(names) - 0.4)
        panel.grid(axis="x")
        panel.set_xlim(left=0)
        panel.set_xlabel(f"{spoken(evaluation.headline)}, 95 % interval")
        panel.spines["left"].set_visible(False)
        _legend_above(panel)
        return _svg(figure)


def recall_curves(evaluation: Evaluation, palette: Mapping[str, str]) -> str:
    """Mean recall by length of list, one line for each model; long lists get a logarithmic axis."""
    with house_style("recall_curves"):
        figure = Figure(figsize=(4.7, 3.4), layout="constrained")
        panel = figure.subplots()
        longest = max(len(scores.recall_curve) for scores in evaluation.scores.values())
        for model, scores in reversed(list(evaluation.scores.items())):
            ks = np.arange(1, len(scores.recall_curve) + 1)
            wide = 2.4 if palette[model] in (RELEASE_COLOUR, CHAMPION_COLOUR) else 1.5
            panel.plot(ks, scores.recall_curve, color=palette[model], linewidth=wide, label=spoken(model))
        if longest > 50:
            panel.set_xscale("log")
            ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500) if k <= longest]
            panel.set_xticks(ticks, [str(k) for k in ticks])
            panel.minorticks_off()
        else:
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel("length of the list, k")
        panel.set_ylabel("recall")
        panel.set_ylim(bottom=0)
        panel.grid(axis="y")
        handles, labels = panel.get_legend_handles_labels()
        panel.legend(handles[::-1], labels[::-1], loc="upper left", fontsize=8.5)
        return _svg(figure)


def popularity_histogram(evaluation: Evaluation, models: Sequence[str], palette: Mapping[str, str]) -> str:
    """How popular the listed items are, beside what was really wished for."""
    with house_style("popularity_histogram"):
        figure = Figure(figsize=(4.7, 3.4), layout="constrained")
        panel = figure.subplots()
        bins = evaluation.popularity_bins
        at = np.arange(len(bins))
        panel.bar(at, evaluation.true_popularity_shares, color=RULE, width=0.86, label="What users chose")
        for model in models:
            shares = evaluation.scores[model].popularity_shares
            panel.plot(
                at, shares, "o-", color=palette[model], linewidth=1.8, markersize=4, label=spoken(model)
            )
        panel.set_xticks(at, _bin_labels(bins))
        panel.set_xlabel("wishes for the item before the cutoff")
        panel.set_ylabel("share of the places")
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        panel.grid(axis="y")
        _legend_above(panel, columns=2)
        return _svg(figure)


def calibration_plot(task: str, outcome: OutcomeScores, colour: str = RELEASE_COLOUR) -> str:
    """Promised against observed probability, in bins of equal count."""
    with house_style(f"calibration_{task}"):
        figure = Figure(figsize=(4.7, 3.4), layout="constrained")
        panel = figure.subplots()
        promised = [b.predicted for b in outcome.curve]
        observed = [b.observed for b in outcome.curve]
        top = max(*promised, *observed, 1e-6) * 1.08
        panel.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="Perfect")
        errors = [1.96 * np.sqrt(b.observed * (1 - b.observed) / b.count) for b in outcome.curve]
        panel.errorbar(
            promised,
            observed,
            yerr=errors,
            fmt="o-",
            color=colour,
            linewidth=1.8,
            markersize=4.5,
            elinewidth=1,
            label=spoken(task),
        )
        panel.set_xlim(0, top)
        panel.set_ylim(0, top)
        panel.set_xlabel("predicted probability")
        panel.set_ylabel("share that happened")
        panel.grid()
        panel.legend(loc="upper left", fontsize=8.5)
        return _svg(figure)


def house_style(salt: str) -> AbstractContextManager[None]:
    """The house's style; `salt` keeps the ids of the plots of one page apart, and equal between runs."""
    style: Any = _STYLE | {"svg.hashsalt": salt}
    return mpl.rc_context(style)


def _legend_above(panel: Axes, columns: int = 6) -> None:
    panel.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, fontsize=8.5, borderaxespad=0.2)


def _slice_label(name: str, users: int) -> str:
    kind, _, value = name.partition(":")
    return f"{_SLICES.get(kind, '{}').format(spoken(value))} (n = {users:,})"


def _bin_labels(bins: Sequence[float] | NDArray[np.float64]) -> list[str]:
    """The lower ends, short enough to stand side by side: 0, 1+, 316+, 3.2k+, 10k+."""

    def short(low: float) -> str:
        return f"{low:.0f}" if low < 1000 else f"{low / 1000:.1f}k".replace(".0k", "k")

    return ["0", *(f"{short(low)}+" for low in bins[1:])]


def _svg(figure: Figure) -> str:
    """The figure as an `<svg>` element, the same bytes for the same data."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    return text[text.index("<svg") :]

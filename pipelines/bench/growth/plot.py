"""Growth as a picture: processor time and memory, by events and by items."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.bench.growth.names import GROWTH_PARTS

COLOURS = dict(zip(GROWTH_PARTS, ("#64748b", "#b8a99a", "#d97706", "#0f766e", "#7c3aed"), strict=True))
FIGURES = {"cpu_seconds": "CPU seconds", "peak_mb": "peak memory, MB"}
AXES = {"events": "items", "items": "events"}
"""By panel what grows, and what stays."""


def write_plot(shops: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write an SVG: a column for events and one for items, a row for each figure, all scales logarithmic."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "aisle", "font.size": 9.5}):
        figure = Figure(figsize=(9, 6.4), layout="constrained")
        grid = figure.subplots(len(FIGURES), len(AXES), squeeze=False, sharey="row")
        for row, (name, label) in zip(grid, FIGURES.items(), strict=True):
            for axes, grows in zip(row, AXES, strict=True):
                line = series(shops, grows)
                for part in GROWTH_PARTS:
                    points = [(one[grows], one[part][name]) for one in line if name in one.get(part, {})]
                    if points:
                        label_of_part = part.replace("_", " ")
                        axes.plot(*zip(*points, strict=True), "o-", color=COLOURS[part], label=label_of_part)
                _dress(axes, grows, label, line)
        named = grid[0][0].get_legend_handles_labels()
        figure.legend(*named, loc="outside upper center", ncols=len(GROWTH_PARTS), frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def series(shops: Sequence[Mapping[str, Any]], grows: str) -> list[Mapping[str, Any]]:
    """The shops that differ in what grows alone, smallest first; the longest such line."""
    stays = AXES[grows]
    beside = Counter(one[stays] for one in shops).most_common(1)
    line = [one for one in shops if beside and one[stays] == beside[0][0]]
    return sorted(line, key=lambda one: int(one[grows]))


def _dress(axes: Axes, grows: str, label: str, line: Sequence[Mapping[str, Any]]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(grows)
    axes.set_ylabel(label)
    axes.grid(True, color="#e2e8f0")
    axes.spines[["top", "right"]].set_visible(False)
    if line:
        axes.set_title(f"{line[0][AXES[grows]]:,} {AXES[grows]}", loc="left", fontsize=10)

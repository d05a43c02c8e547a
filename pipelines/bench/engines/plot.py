"""The plot of both engines: seconds and memory by events, one line for each engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAMES = {"duckdb": "DuckDB", "spark": "Spark"}


def draw_engines(told: Mapping[str, Any], path: Path) -> None:
    """Write the figures of `measure_engines` as SVG; what did not finish is a cross at the limit."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from pipelines.evaluation import CHAMPION_COLOUR, RELEASE_COLOUR, house_style

    colours = {"duckdb": RELEASE_COLOUR, "spark": CHAMPION_COLOUR}

    def lines(panel: Axes, name: str, style: str = "-", what: str = "") -> None:
        for engine, figures in told["engines"].items():
            done = [one for one in figures if name in one]
            panel.plot(
                [one["events"] for one in done],
                [one[name] for one in done],
                color=colours.get(engine),
                linestyle=style,
                marker="o",
                markersize=4,
                label=f"{NAMES.get(engine, engine)}{what}",
            )
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel("events")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 3)))
            axis.set_major_formatter(FuncFormatter(_short))
            axis.set_minor_locator(NullLocator())
        panel.grid(visible=True)

    with house_style("engines"):
        figure = Figure(figsize=(9.0, 3.4), layout="constrained")
        seconds, memory = figure.subplots(1, 2)
        lines(seconds, "seconds")
        lines(seconds, "cpu_s", "--", ", CPU")
        lines(memory, "peak_mb")
        for engine, figures in told["engines"].items():
            late = [one["events"] for one in figures if "load" in one and "failed" in one]
            limits = [told["limit_s"]] * len(late)
            seconds.plot(late, limits, color=colours.get(engine), marker="x", linestyle="none")
        seconds.set_title("Seconds to build every feature table")
        memory.set_title("Peak memory in MB, children included")
        seconds.legend(loc="best", fontsize=8.5)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def table_of(told: Mapping[str, Any]) -> Sequence[Sequence[str]]:
    """One row for each engine and size, as text."""
    return [
        [
            NAMES.get(engine, engine),
            f"{one['events']:,}",
            *(
                [f"{one['seconds']:,} s", f"{one['cpu_s']:,} s", f"{one['peak_mb']:,} MB"]
                if "rows" in one
                else [one["failed"], "", ""]
            ),
        ]
        for engine, figures in told["engines"].items()
        for one in figures
    ]


def _short(value: float, _: Any) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value / 1000:g} k" if value >= 1000 else f"{value:g}"

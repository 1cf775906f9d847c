"""Draw a panel's data with matplotlib: the kinds of panels that the dashboards use, in Grafana's dark colours.

This is not Grafana. It takes the same queries, names, units, colours and limits from the dashboard's JSON, so
that a picture shows what a dashboard shows; spacing, fonts and legends are matplotlib's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

BACK, PANEL, EDGE, TEXT, DIM = "#111217", "#181b1f", "#2c3235", "#ccccdc", "#7b8087"
_HUES = {
    "green": "#73bf69", "light-green": "#96d98d", "yellow": "#fade2a", "orange": "#ff9830", "red": "#f2495c",
    "dark-orange": "#fa6400", "blue": "#5794f2", "light-blue": "#8ab8ff", "purple": "#b877d9", "text": TEXT,
    "transparent": "none",
}  # fmt: skip
_CYCLE = ("green", "yellow", "blue", "orange", "red", "purple", "light-blue", "light-green", "dark-orange")
Series = tuple[str, np.ndarray, np.ndarray]
"""Name, moments (matplotlib days), values."""


def told(value: float, unit: str) -> str:
    """Return a value with its unit, as short as it can be."""
    if math.isnan(value):
        return "NaN"
    if unit == "s":
        return _seconds(value)
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit in {"bytes", "bps"}:
        return _scaled(value, 1024 if unit == "bytes" else 1000, "iB" if unit == "bytes" else "bit/s")
    ends = {"cps": "/s", "celsius": " °C"}
    return f"{value:.3g}{ends.get(unit, '')}"


def _seconds(value: float) -> str:
    size = abs(value)
    if 0 < size < 1:
        return f"{1000 * value:.3g} ms"
    if size < 120:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if size < 7200 else f"{value / 3600:.3g} h"


def _scaled(value: float, base: int, ending: str) -> str:
    power = min(4, int(math.log(max(abs(value), 1), base)))
    return f"{value / base**power:.3g} {('', 'K', 'M', 'G', 'T')[power]}{ending}"


def limit_colour(panel: Mapping[str, Any], value: float) -> str:
    """Return the colour that the panel's thresholds give a value."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    reached = [step["color"] for step in steps if step.get("value") is None or value >= step["value"]]
    return _HUES[reached[-1]] if reached else TEXT


def mapped(panel: Mapping[str, Any], value: float) -> tuple[str, str] | None:
    """Return the name and colour that the panel's value mappings give a value."""
    for mapping in panel["fieldConfig"]["defaults"].get("mappings") or []:
        found = mapping["options"].get(f"{value:.0f}")
        if found:
            return found["text"], _HUES[found["color"]]
    return None


def empty(ax: Axes, panel: Mapping[str, Any]) -> None:
    """Say what the panel says when there is nothing."""
    words = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "No data")
    ax.text(0.5, 0.5, words, color=DIM, ha="center", va="center", transform=ax.transAxes, fontsize=8)
    ax.set_axis_off()


def number(ax: Axes, panel: Mapping[str, Any], series: Sequence[Series]) -> None:
    """Draw a `stat` panel."""
    name, _, values = series[0]
    value, unit = float(values[-1]), panel["fieldConfig"]["defaults"].get("unit", "none")
    words, colour = mapped(panel, value) or (told(value, unit), limit_colour(panel, value))
    if panel["options"].get("textMode") == "name":
        words = name
    size = min(24.0, 190.0 / len(words))
    ax.text(0.5, 0.5, words, color=colour, ha="center", va="center", fontsize=size, transform=ax.transAxes)
    ax.set_axis_off()


def curves(ax: Axes, panel: Mapping[str, Any], series: Sequence[Series]) -> None:
    """Draw a `timeseries` panel."""
    custom, defaults = panel["fieldConfig"]["defaults"]["custom"], panel["fieldConfig"]["defaults"]
    fixed = {
        override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
        for override in panel["fieldConfig"].get("overrides", [])
    }
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    below: dict[float, float] = {}
    for (name, times, values), hue in zip(series, _CYCLE * 9, strict=False):
        colour = _HUES.get(fixed.get(name, hue), TEXT)
        floor = np.array([below.get(float(t), 0.0) if stacked else 0.0 for t in times])
        top = floor + np.nan_to_num(values)
        if custom.get("drawStyle") == "bars":
            width = float(np.diff(times).min()) * 0.9 if len(times) > 1 else 1e-4
            ax.bar(times, top - floor, width, floor, color=colour, alpha=0.85, label=name)
        else:
            ax.plot(times, top if stacked else values, color=colour, lw=1, label=name)
            ax.fill_between(times, floor, top, color=colour, alpha=custom.get("fillOpacity", 8) / 150)
        if stacked:
            below |= {float(t): float(y) for t, y in zip(times, top, strict=True)}
    _limits(ax, panel)
    if "min" in defaults:
        ax.set_ylim(bottom=defaults["min"])
    if "max" in defaults:
        ax.set_ylim(top=defaults["max"])
    ax.yaxis.set_major_formatter(lambda value, _: told(value, defaults.get("unit", "none")))
    _legend(ax)


def _limits(ax: Axes, panel: Mapping[str, Any]) -> None:
    """Draw the limits that lie within twice of what is seen."""
    if panel["fieldConfig"]["defaults"]["custom"].get("thresholdsStyle", {}).get("mode") != "dashed":
        return
    top = ax.get_ylim()[1]
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]:
        if step["value"] <= 2 * top:
            ax.axhline(step["value"], color=_HUES[step["color"]], lw=0.8, ls="--")


def _legend(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles[:9], [label[:34] for label in labels[:9]], loc="upper center", bbox_to_anchor=(0.5, -0.13),
        ncol=3, fontsize=5.5, frameon=False, labelcolor=DIM, handlelength=1.2, columnspacing=1,
    )  # fmt: skip


def timeline(ax: Axes, panel: Mapping[str, Any], series: Sequence[Series], step: float) -> None:
    """Draw a `state-timeline` panel; `step` is the distance of two samples in days."""
    for row, (*_, times, values) in enumerate(series):
        for t, value in zip(times, values, strict=True):
            _, colour = mapped(panel, value) or ("", TEXT)
            if colour != "none":
                ax.add_patch(Rectangle((t, row - 0.4), step * 1.02, 0.8, color=colour, lw=0))
        _name_states(ax, panel, row, times, values)
    ax.set_ylim(len(series) - 0.45, -0.55)
    ax.set_yticks(range(len(series)), [name[:44] for name, *_ in series], fontsize=6)


def _name_states(ax: Axes, panel: Mapping[str, Any], row: int, times: Any, values: Any) -> None:
    """Write the name of a state where it lasts long enough to hold it."""
    left, right = ax.get_xlim()
    starts = [0, *(np.flatnonzero(np.diff(values)) + 1), len(values)]
    for a, b in pairwise(starts):
        name, _ = mapped(panel, values[a]) or ("", "")
        if times[b - 1] - times[a] > (right - left) * 0.012 * max(len(name), 1):
            middle = (times[a] + times[b - 1]) / 2
            ax.text(middle, row, name, ha="center", va="center", fontsize=6, color=BACK)


def heat(ax: Axes, panel: Mapping[str, Any], series: Sequence[Series]) -> None:
    """Draw a `heatmap` panel from cumulative buckets, named by their upper bounds."""
    ordered = sorted(series, key=lambda one: float(one[0]))
    times = ordered[0][1]
    counts = np.diff(np.vstack([np.zeros(len(times)), *(np.nan_to_num(one[2]) for one in ordered)]), axis=0)
    shown = np.ma.masked_less_equal(np.clip(counts, 0, None) ** 0.5, 1e-6)
    steps = np.arange(len(ordered) + 1) - 0.5
    width = float(np.median(np.diff(times))) if len(times) > 1 else 1e-4
    ax.pcolormesh(
        np.append(times, times[-1] + width),
        steps,
        shown,
        cmap="YlOrBr_r",
        shading="flat",
        vmin=-0.4 * shown.max(),
    )
    unit = panel["options"]["yAxis"].get("unit", "none")
    names = ["∞" if one[0] == "+Inf" else told(float(one[0]), unit) for one in ordered]
    ax.set_yticks(range(len(ordered)), names, fontsize=5.5)


def bars(ax: Axes, panel: Mapping[str, Any], series: Sequence[Series]) -> None:
    """Draw a `bargauge` panel."""
    unit = panel["fieldConfig"]["defaults"].get("unit", "none")
    last = [float(values[-1]) for *_, values in series]
    ax.barh(range(len(series)), last, color=[limit_colour(panel, value) for value in last], height=0.6)
    ax.set_yticks(range(len(series)), [name[:40] for name, *_ in series], fontsize=6)
    for row, value in enumerate(last):
        ax.text(value, row, f" {told(value, unit)}", va="center", color=TEXT, fontsize=7)
    ax.invert_yaxis()
    ax.set_xticks([])


def grid(ax: Axes, headings: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> None:
    """Draw a table of (text, colour)."""
    ax.set_axis_off()
    for column, heading in enumerate(headings):
        x = (column + 0.1) / len(headings)
        ax.text(x, 0.93, heading, color="#6e9fff", fontsize=7, transform=ax.transAxes, va="center")
        for row, cells in enumerate(rows):
            text, colour = cells[column]
            y = 0.93 - (row + 1) * min(0.14, 0.85 / max(len(rows), 1))
            ax.text(x, y, text, color=colour, fontsize=7.5, transform=ax.transAxes, va="center")


def style(ax: Axes, start: float, end: float) -> None:
    """Give the axes of a panel over time their colours and marks."""
    ax.set_facecolor(PANEL)
    ax.set_xlim(start, end)
    ax.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=4, maxticks=9))
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M"))
    ax.tick_params(colors=DIM, labelsize=6, length=0)
    ax.grid(visible=True, color=EDGE, lw=0.5)
    ax.set_axisbelow(True)
    for spine in ax.spines.values():
        spine.set_visible(False)


def hue(name: str) -> str:
    """Return the colour of one of Grafana's names."""
    return _HUES[name]

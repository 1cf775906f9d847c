"""Draw the dashboards from a Prometheus: what they show, where no Grafana can be had.

    pip install matplotlib
    python -m dashboards.picture 127.0.0.1:9090 docs/grafana --minutes 20 camera=yard instance=127.0.0.1:9108

Every panel asks its own queries, taken from `grafana/dashboards/*.json`; see `dashboards.draw` for how far the
pictures are those of Grafana.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
from matplotlib import image
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from dashboards import draw
from dashboards.__main__ import FOLDER
from dashboards.ask import Prometheus, expand
from dashboards.draw import Series

_UNIT_W, _UNIT_H, _DPI = 0.62, 0.4, 100
"""Inches of a grid unit."""
_POINTS = 240
_OVER_TIME = {"timeseries", "state-timeline", "heatmap"}


class Drawer:
    """Draws one dashboard."""

    def __init__(self, prometheus: Prometheus, minutes: float, variables: Mapping[str, str]) -> None:
        self._prometheus = prometheus
        self._end = time.time()
        self._start = self._end - 60 * minutes
        self._step_s = max(5.0, round(60 * minutes / _POINTS))
        rate_s = max(20.0, 4 * self._step_s)
        self._variables = {
            "__rate_interval": f"{rate_s:.0f}s", "__interval": f"{self._step_s:.0f}s",
            "__range": f"{60 * minutes:.0f}s", "__to": f"{1000 * self._end:.0f}", **variables,
        }  # fmt: skip

    def draw(self, dashboard: Mapping[str, Any]) -> Figure:
        """Return the picture of a dashboard."""
        panels = dashboard["panels"]
        height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + 1.2
        figure = plt.figure(figsize=(24 * _UNIT_W, height * _UNIT_H), dpi=_DPI, facecolor=draw.BACK)
        figure.text(0.008, 1 - 0.7 / height, dashboard["title"], color=draw.TEXT, fontsize=13, va="center")
        for panel in panels:
            self._panel(figure, panel, height)
        return figure

    def _panel(self, figure: Figure, panel: Mapping[str, Any], height: float) -> None:
        place = panel["gridPos"]
        left, top = place["x"] / 24, 1 - (place["y"] + 1.2) / height
        if panel["type"] == "row":
            figure.text(
                0.008, top - 0.5 / height, f"⌄ {panel['title']}", color=draw.TEXT, fontsize=10, va="center"
            )
            return
        width, tall = place["w"] / 24, place["h"] / height
        box = FancyBboxPatch(
            (left + 0.002, top - tall + 0.1 / height), width - 0.004, tall - 0.2 / height,
            boxstyle="square,pad=0", facecolor=draw.PANEL, edgecolor=draw.EDGE, transform=figure.transFigure, zorder=-1,
        )  # fmt: skip
        figure.add_artist(box)
        figure.text(
            left + 0.007, top - 0.6 / height, panel["title"], color=draw.TEXT, fontsize=8, va="center"
        )
        ax = figure.add_axes(self._inside(panel, left, top, width, tall, height))
        ax.set_facecolor(draw.PANEL)
        self._fill(ax, panel)

    def _inside(
        self, panel: Mapping[str, Any], left: float, top: float, width: float, tall: float, height: float
    ) -> tuple[float, float, float, float]:
        """Return where the axes of a panel stand: with room for names, ticks and legend."""
        names = {
            "state-timeline": 0.14 if width == 1 else 0.085,
            "bargauge": 0.12,
            "stat": 0.01,
            "table": 0.01,
        }
        west = names.get(panel["type"], 0.035)
        south = 2.1 if panel["type"] == "timeseries" else 0.9 if panel["type"] in _OVER_TIME else 0.3
        return left + west, top - tall + south / height, width - west - 0.012, tall - (south + 1.2) / height

    def _fill(self, ax: Axes, panel: Mapping[str, Any]) -> None:
        kind = panel["type"]
        if kind == "text":
            self._picture(ax, panel)
        elif kind == "alertlist":
            self._alerts(ax)
        elif kind == "table":
            self._table(ax, panel)
        elif series := list(self._series(panel)):
            self._curves(ax, panel, series)
        else:
            draw.empty(ax, panel)

    def _curves(self, ax: Axes, panel: Mapping[str, Any], series: list[Series]) -> None:
        kind = panel["type"]
        if kind in _OVER_TIME:
            start, end = (mdates.date2num(np.datetime64(int(t), "s")) for t in (self._start, self._end))
            draw.style(ax, start, end)
        if kind == "stat":
            draw.number(ax, panel, series)
        elif kind == "bargauge":
            draw.style(ax, 0, max(float(values[-1]) for *_, values in series) * 1.2)
            draw.bars(ax, panel, series)
        elif kind == "heatmap":
            draw.heat(ax, panel, series)
        elif kind == "state-timeline":
            draw.timeline(ax, panel, series, self._step_s / 86400)
        else:
            draw.curves(ax, panel, series)

    def _series(self, panel: Mapping[str, Any]) -> Iterator[Series]:
        """Ask every query of a panel."""
        # A bar counts its interval; the panel says which is the least.
        least = 60.0 if panel.get("interval") == "1m" else self._step_s
        variables = {**self._variables, "__interval": f"{max(least, self._step_s):.0f}s"}
        step_s = max(least, self._step_s, self._step_s if panel["type"] != "heatmap" else 3 * self._step_s)
        for target in panel["targets"]:
            expr = expand(target["expr"], variables)
            for found in self._prometheus.over(expr, self._start, self._end, step_s):
                moments, values = np.array(found["values"], dtype=float).T
                times = mdates.date2num((moments * 1000).astype("datetime64[ms]"))
                yield _named(target.get("legendFormat", ""), found["metric"]), times, values

    def _table(self, ax: Axes, panel: Mapping[str, Any]) -> None:
        options = panel["transformations"][1]["options"]["renameByName"]
        units = {
            one["matcher"]["options"]: {p["id"]: p["value"] for p in one["properties"]}
            for one in panel["fieldConfig"]["overrides"]
        }
        rows: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
        for target in panel["targets"]:
            heading = options[f"Value #{target['refId']}"]
            for found in self._prometheus.instant(expand(target["expr"], self._variables)):
                key = found["metric"].get("camera", ""), found["metric"].get("instance", "")
                rows.setdefault(key, {})[heading] = _cell(float(found["value"][1]), units[heading])
        headings = list(options.values())
        dash = ("", draw.DIM)
        cells = [
            [(name, "#6e9fff"), (where, draw.TEXT), *(row.get(h, dash) for h in headings)]
            for (name, where), row in sorted(rows.items())
        ]
        draw.grid(ax, ["camera", "instance", *headings], cells)

    def _alerts(self, ax: Axes) -> None:
        """List what fires or is pending, the dead-man's switch left out, as the panel's filter does."""
        rows = [
            [(alert["labels"]["alertname"], draw.hue("red" if alert["state"] == "firing" else "yellow")),
             (alert["annotations"]["summary"][:34], draw.DIM)]
            for rule in self._prometheus.rules()
            for alert in rule.get("alerts") or ()
            if alert["labels"]["alertname"] != "SurveilDeadMansSwitch"
        ]  # fmt: skip
        if rows:
            draw.grid(ax, ["alert", "summary"], rows[:6])
        else:
            draw.empty(ax, {"fieldConfig": {"defaults": {"noValue": "No alerts"}}})

    def _picture(self, ax: Axes, panel: Mapping[str, Any]) -> None:
        """Show the picture that the Markdown names."""
        ax.set_axis_off()
        address = re.findall(r"\((\$\{pages\}[^)]*)\)", panel["options"]["content"])[0]
        try:
            with urlopen(expand(address, self._variables), timeout=10) as answer:  # noqa: S310 - the user named it
                ax.imshow(image.imread(io.BytesIO(answer.read()), format="jpg"))
        except (URLError, KeyError):
            draw.empty(ax, {})


def _named(legend: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series as the legend's format says."""
    if not legend:
        return " ".join(labels.values())
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend).strip()


def _cell(value: float, properties: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text and the colour of a table's cell."""
    if properties["unit"] == "bool_yes_no":
        return ("Yes" if value else "No"), draw.TEXT
    panel = {"fieldConfig": {"defaults": {"thresholds": properties.get("thresholds", {})}}}
    words = f"{value:.0f}" if properties["decimals"] == 0 else draw.told(value, properties["unit"])
    return words, draw.limit_colour(panel, value)


def main() -> None:
    """Write one PNG for each dashboard."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.picture", description=__doc__)
    parser.add_argument("address", help="host:port of Prometheus")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("variables", nargs="*", metavar="NAME=VALUE")
    asked = parser.parse_intermixed_args()
    mpl.use("Agg")
    asked.folder.mkdir(parents=True, exist_ok=True)
    drawer = Drawer(Prometheus(asked.address), asked.minutes, dict(v.split("=", 1) for v in asked.variables))
    for path in sorted(FOLDER.glob("*.json")):
        drawer.draw(json.loads(path.read_text())).savefig(asked.folder / f"{path.stem}.png")


if __name__ == "__main__":
    main()

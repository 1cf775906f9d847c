"""The kinds of panels that the dashboards are made of, each with a unit, a reason and limits that mean something.

Colours are names of Grafana's own palette, so that light and dark themes choose their shade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models import dashboard as d
from grafana_foundation_sdk.models import heatmap as heat_model
from grafana_foundation_sdk.models import prometheus as p
from grafana_foundation_sdk.models import text as text_model

SOURCE = d.DataSourceRef(type_val="prometheus", uid="${datasource}")
Limit = tuple[float, str]
"""From this value on, this colour."""
Panel = Any
"""A builder of a panel. The SDK's classes have methods in common and no base that names them."""
Query = prometheus.Dataquery
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def query(expr: str, legend: str = "", *, at_once: bool = False, kind: str = "time_series") -> Query:
    """Return one PromQL query; `at_once` asks for now only, `kind` may be `heatmap` or `table`."""
    made = prometheus.Dataquery().expr(expr).format(p.PromQueryFormat(kind)).datasource(SOURCE)
    made = made.instant() if at_once else made.range()
    return made.legend_format(legend) if legend else made


def _common(panel: Panel, title: str, why: str, width: int, height: int, queries: Sequence[Query]) -> Panel:
    panel = panel.title(title).description(why).span(width).height(height).datasource(SOURCE)
    for letter, one in zip(_LETTERS, queries, strict=False):
        panel = panel.with_target(one.ref_id(letter))
    return panel


def steps(base: str, limits: Sequence[Limit]) -> build.ThresholdsConfig:
    """Return thresholds: `base` below the first limit."""
    made = [d.Threshold(value=None, color=base), *(d.Threshold(value, color) for value, color in limits)]
    return build.ThresholdsConfig().mode(d.ThresholdsMode.ABSOLUTE).steps(made)


def names(values: Mapping[int, tuple[str, str]]) -> list[d.ValueMapping]:
    """Return value mappings: number → name and colour."""
    return [
        d.ValueMap(
            {
                str(value): d.ValueMappingResult(text=name, color=colour, index=index)
                for index, (value, (name, colour)) in enumerate(values.items())
            }
        )
    ]


def link(title: str, url: str, *, new_tab: bool = False) -> build.DashboardLink:
    """Return a link on a value; `url` may name `${__field.labels.camera}` and the like."""
    return build.DashboardLink(title).url(url).target_blank(new_tab)


def lines(
    title: str,
    unit: str,
    *queries: Query,
    why: str,
    width: int = 8,
    height: int = 8,
    limits: Sequence[Limit] = (),
    stacked: bool = False,
    bars: bool = False,
    low: float | None = 0,
    high: float | None = None,
    colours: Mapping[str, str] | None = None,
) -> Panel:
    """Return curves over time. `limits` are dashed lines; `bars` counts what happened in each interval."""
    panel = _common(timeseries.Panel(), title, why, width, height, queries).unit(unit)
    panel = (
        panel.draw_style(c.GraphDrawStyle.BARS if bars else c.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(70 if bars else 25 if stacked else 8)
        .show_points(c.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI).sort(c.SortOrder.DESCENDING))
    )
    if bars:
        panel = panel.interval("1m")
    if stacked or bars:
        panel = panel.stacking(common.StackingConfig().mode(c.StackingMode.NORMAL))
    if low is not None:
        panel = panel.min(low)
    if high is not None:
        panel = panel.max(high)
    if limits:
        dashed = common.GraphThresholdsStyleConfig().mode(c.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(steps("transparent", limits)).thresholds_style(dashed)
    for name, colour in (colours or {}).items():
        panel = panel.override_by_name(name, [_fixed(colour)])
    return panel


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(c.LegendDisplayMode.LIST)
        .placement(c.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )


def _fixed(colour: str) -> d.DynamicConfigValue:
    return d.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})


def number(
    title: str,
    unit: str,
    *queries: Query,
    why: str,
    width: int = 4,
    height: int = 4,
    base: str = "green",
    limits: Sequence[Limit] = (),
    values: Mapping[int, tuple[str, str]] | None = None,
    show_name: bool = False,
    empty: str = "none",
    links: Sequence[build.DashboardLink] = (),
    decimals: int | None = None,
) -> Panel:
    """Return the last value, large; `show_name` shows the series' name instead, for facts that are labels."""
    panel = _common(stat.Panel(), title, why, width, height, queries).unit(unit)
    panel = (
        panel.thresholds(steps(base, limits))
        .color_scheme(build.FieldColor().mode(d.FieldColorModeId.THRESHOLDS))
        .color_mode(c.BigValueColorMode.VALUE)
        .graph_mode(c.BigValueGraphMode.NONE)
        .text_mode(c.BigValueTextMode.NAME if show_name else c.BigValueTextMode.AUTO)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value(empty)
    )
    if values:
        panel = panel.mappings(names(values))
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.data_links(list(links)) if links else panel


def levels(
    title: str, unit: str, *queries: Query, why: str, width: int = 8, height: int = 8, base: str = "blue",
    limits: Sequence[Limit] = (), high: float | None = None, empty: str = "none",
) -> Panel:  # fmt: skip
    """Return one bar for each series, at its last value."""
    panel = _common(bargauge.Panel(), title, why, width, height, queries).unit(unit)
    panel = (
        panel.thresholds(steps(base, limits))
        .orientation(c.VizOrientation.HORIZONTAL)
        .display_mode(c.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .min(0)
        .no_value(empty)
    )
    return panel.max(high) if high is not None else panel


def timeline(
    title: str,
    *queries: Query,
    why: str,
    values: Mapping[int, tuple[str, str]],
    width: int = 24,
    height: int = 8,
    empty: str = "none in this time",
    links: Sequence[build.DashboardLink] = (),
) -> Panel:
    """Return one row for each series, coloured by its state; `values` names the states."""
    panel = _common(statetimeline.Panel(), title, why, width, height, queries)
    return (
        panel.mappings(names(values))
        .color_scheme(build.FieldColor().mode(d.FieldColorModeId.THRESHOLDS))
        .thresholds(steps("text", ()))
        .merge_values(True)
        .show_value(c.VisibilityMode.AUTO)
        .row_height(0.85)
        .fill_opacity(80)
        .line_width(0)
        .legend(_legend().show_legend(False))
        .tooltip(common.VizTooltipOptions().mode(c.TooltipDisplayMode.SINGLE).sort(c.SortOrder.NONE))
        .no_value(empty)
        .data_links(list(links))
    )


def heat(title: str, unit: str, expr: str, *, why: str, width: int = 12, height: int = 8) -> Panel:
    """Return how the values of a histogram are spread over time; `expr` keeps the label `le`."""
    panel = _common(heatmap.Panel(), title, why, width, height, [query(expr, "{{le}}", kind="heatmap")])
    return (
        panel.calculate(False)
        .rows_frame(heatmap.RowsHeatmapOptions().layout(c.HeatmapCellLayout.AUTO))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heat_model.HeatmapColorMode.SCHEME)
            .scheme("Oranges")
            .steps(64)
            .exponent(0.5)
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(c.AxisPlacement.LEFT))
        .cell_values(heatmap.CellValues().unit("short"))
        .show_legend()
        .mode(c.TooltipDisplayMode.SINGLE)
    )


def grid(
    title: str,
    columns: Mapping[str, tuple[str, str]],
    *,
    why: str,
    width: int = 24,
    height: int = 8,
    limits: Mapping[str, Sequence[Limit]] | None = None,
    links: Mapping[str, build.DashboardLink] | None = None,
    empty: str = "none",
) -> Panel:
    """Return a table of one row for each set of labels; `columns` maps a heading to its query and unit."""
    queries = [query(expr, at_once=True, kind="table") for expr, _ in columns.values()]
    panel = _common(table.Panel(), title, why, width, height, queries).no_value(empty)
    renamed = {f"Value #{letter}": heading for letter, heading in zip(_LETTERS, columns, strict=False)}
    if len(columns) == 1:
        renamed = {"Value": next(iter(columns))}
    panel = panel.with_transformation(d.DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(
        d.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": renamed},
        )
    )
    for heading, (_, unit) in columns.items():
        panel = panel.override_by_name(heading, _column(unit, (limits or {}).get(heading, ())))
    for heading, target in (links or {}).items():
        panel = panel.override_by_name(heading, [d.DynamicConfigValue("links", [target.build()])])
    return panel


def _column(unit: str, limits: Sequence[Limit]) -> list[d.DynamicConfigValue]:
    decimals = 0 if unit == "none" else 1
    made = [d.DynamicConfigValue("unit", unit), d.DynamicConfigValue("decimals", decimals)]
    if limits:
        made += [
            d.DynamicConfigValue("thresholds", steps("text", limits).build()),
            d.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        ]
    return made


def words(title: str, content: str, *, width: int = 8, height: int = 8) -> Panel:
    """Return a panel of Markdown."""
    panel = text.Panel().title(title).span(width).height(height)
    return panel.mode(text_model.TextMode.MARKDOWN).content(content)


def alert_list(title: str, *, why: str, width: int = 8, height: int = 8) -> Panel:
    """Return the alerts of the shipped rules that are pending or firing, as Grafana itself lists them."""
    return (
        build.Panel()
        .type("alertlist")
        .title(title)
        .description(why)
        .span(width)
        .height(height)
        .options(
            {
                "alertInstanceLabelFilter": '{alertname=~"Surveil.*", alertname!="SurveilDeadMansSwitch"}',
                "alertName": "",
                "dashboardAlerts": False,
                "datasource": "",
                "groupBy": [],
                "groupMode": "default",
                "maxItems": 20,
                "sortOrder": 3,
                "stateFilter": {
                    "error": True,
                    "firing": True,
                    "noData": True,
                    "normal": False,
                    "pending": True,
                },
                "viewMode": "list",
            }
        )
    )

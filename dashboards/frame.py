"""What every dashboard has around its panels: variables, annotations, links, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as d

from dashboards.kit import SOURCE

TAG = "surveil"
PICTURE = (
    "${pages}/evidence/latest?camera=${__field.labels.camera}&rule=${__field.labels.rule}&at=${__value.time}"
)
"""Where the daemon shows the picture of the event that is pointed at."""
_GRAFANA = d.DataSourceRef(type_val="datasource", uid="-- Grafana --")
Section = tuple[str, Sequence[Any]]
"""A row's title and its panels."""


def frame(
    uid: str, title: str, why: str, sections: Sequence[Section], variables: Sequence[Any], hours: int = 6
) -> dict[str, Any]:
    """Return the JSON of a dashboard as nested values."""
    built = [variable.build() for variable in variables]
    cameras = [one for one in built if one.name == "camera"]
    made = (
        build.Dashboard(f"surveil / {title}")
        .uid(uid)
        .description(why)
        .tags([TAG])
        .editable()
        .timezone("browser")
        .tooltip(d.DashboardCursorSync.CROSSHAIR)
        .time(f"now-{hours}h", "now")
        .refresh("30s")
        .variables([data_source(), *variables, pages()])
        .annotations(list(marks(one_camera=bool(cameras))))
        .links(list(links(one_camera=any(not one.multi for one in cameras))))
    )
    for heading, panels in sections:
        made = made.with_row(build.Row(heading))
        for panel in panels:
            made = made.with_panel(panel)
    return _finished(made.build())


def _finished(made: d.Dashboard) -> dict[str, Any]:
    """Number the panels, and add what Grafana reads and the SDK's schema lacks."""
    value: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(made))
    for number, panel in enumerate(value["panels"], 1):
        panel["id"] = number
    for annotation in value["annotations"]["list"]:
        annotation.update(_HOW_TO_READ.get(annotation["name"], {}))
    return value


# Variables.


def data_source() -> build.DatasourceVariable:
    """Which Prometheus."""
    return build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def instance(*, several: bool = False) -> build.QueryVariable:
    """Which daemon; `several` where a panel can show more than one."""
    made = _asked("instance", "Daemon", "label_values(surveil_build_info, instance)")
    return _several(made) if several else made


def camera(*, several: bool = False) -> build.QueryVariable:
    """Which camera of the chosen daemons."""
    made = _asked("camera", "Camera", 'label_values(surveil_camera_state{instance=~"$instance"}, camera)')
    return _several(made) if several else made


def _asked(name: str, label: str, question: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"qryType": 1, "query": question, "refId": f"variable-{name}"})
        .refresh(d.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(d.VariableSort.ALPHABETICAL_ASC)
    )


def _several(variable: build.QueryVariable) -> build.QueryVariable:
    everything = d.VariableOption(text="All", value="$__all", selected=True)
    return variable.multi(True).include_all(True).all_value(".*").current(everything)


def pages() -> build.TextBoxVariable:
    """Where a browser reaches the daemon: its evidence and status pages are linked from here."""
    here = "http://127.0.0.1:9108"
    return (
        build.TextBoxVariable("pages")
        .label("Daemon's pages")
        .description("Where your browser reaches the daemon, for links to pictures: see docs/grafana.md.")
        .default_value(here)
        .current(d.VariableOption(text=here, value=here, selected=True))
    )


# Annotations.

_HOW_TO_READ = {
    "Events": {
        "step": "15s",
        "tagKeys": "camera,rule",
        "textFormat": "{{camera}}: {{rule}}",
        "titleFormat": "Event",
    },
    # The value is the moment: it, not the time of the sample, is where the annotation stands.
    "Reloads": {
        "titleFormat": "Configuration taken",
        "textFormat": "{{instance}}",
        "useValueForTime": True,
    },
    "Starts": {"titleFormat": "Daemon started", "textFormat": "{{instance}}", "useValueForTime": True},
}
"""Keys of the Prometheus data source's annotations that the schema does not know."""


def marks(*, one_camera: bool) -> Iterator[build.AnnotationQuery]:
    """Events, told by Prometheus and by surveil's own `grafana` sink; reloads; starts."""
    where = 'instance=~"$instance",camera=~"$camera"' if one_camera else 'instance=~"$instance"'
    yield _from_metrics("Events", "semi-dark-orange", f"surveil_event_open{{{where}}} > 0", shown=one_camera)
    yield (
        build.AnnotationQuery()
        .name("Events with pictures")
        .datasource(_GRAFANA)
        .enable(True)
        .icon_color("red")
        .type("tags")
        .target(build.AnnotationTarget().type("tags").limit(200).match_any(False).tags([TAG]))
    )
    reloaded = 'surveil_config_last_reload_success_timestamp_seconds{instance=~"$instance"}'
    yield _from_metrics("Reloads", "blue", f"1000 * ({reloaded} > 0)")
    started = 'process_start_time_seconds{job="surveil",instance=~"$instance"}'
    yield _from_metrics("Starts", "purple", f"1000 * {started}")


def _from_metrics(name: str, colour: str, expr: str, *, shown: bool = True) -> build.AnnotationQuery:
    made = build.AnnotationQuery().name(name).datasource(SOURCE).enable(shown)
    return made.icon_color(colour).expr(expr)


# Links.


def links(*, one_camera: bool) -> Iterator[build.DashboardLink]:
    """The other dashboards, the daemon itself, and its console at the time that is shown."""
    yield (
        build.DashboardLink("surveil")
        .type(d.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )
    time = "from=${__from:date:seconds}&to=${__to:date:seconds}"
    events = f"/console/#/events?{'camera=${camera}&' * one_camera}{time}"
    for title, path in (("Status", "/status"), ("Ready?", "/readyz"), ("Events in the console", events)):
        yield (
            build.DashboardLink(title)
            .type(d.DashboardLinkType.LINK)
            .url(f"${{pages}}{path}")
            .icon("external link")
            .target_blank(True)
        )


def to_camera(labels: str) -> build.DashboardLink:
    """Return the link from a value to its camera's dashboard; `labels` is `__field.labels` or `__data.fields`."""
    chosen = f"var-instance=${{{labels}.instance}}&var-camera=${{{labels}.camera}}"
    return build.DashboardLink("this camera").url(
        f"/d/surveil-camera?{chosen}&var-pages=${{pages}}&${{__url_time_range}}"
    )


def to_picture() -> build.DashboardLink:
    """Return the link from an event to its picture."""
    return build.DashboardLink("picture of this event").url(PICTURE).target_blank(True)

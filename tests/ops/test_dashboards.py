"""The Grafana dashboards: agree with their source, known to Grafana's schema, and only about what exists."""

import json
from itertools import combinations

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as model

from dashboards.__main__ import texts
from tests.ops.promql import DASHBOARDS, ROOT, Query, dashboard_queries, exposition, wrong

register_default_plugins()
ANNOTATION_KEYS = {"step", "tagKeys", "textFormat", "titleFormat", "useValueForTime"}
"""What the Prometheus data source reads of an annotation, and the SDK's schema does not know."""
UNITLESS = {"row", "text", "alertlist", "state-timeline", "table", "heatmap"}
"""Their values are states, or have their unit elsewhere."""


def loaded(path):
    return json.loads(path.read_text())


def panels(kinds=None):
    return [
        pytest.param(panel, id=f"{path.stem}: {panel['title']}")
        for path in DASHBOARDS
        for panel in loaded(path)["panels"]
        if panel["type"] != "row" and (kinds is None or panel["type"] in kinds)
    ]


def lost(before, after, place=""):
    """Yield what of `before` is not in `after`."""
    if isinstance(before, dict):
        for key, value in before.items():
            if key not in after:
                yield f"{place}/{key}"
            else:
                yield from lost(value, after[key], f"{place}/{key}")
    elif isinstance(before, list):
        assert len(before) == len(after), place
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{place}/{number}")
    elif before != after:
        yield f"{place}: {before} became {after}"


def test_the_committed_files_are_those_that_their_source_makes():
    made = texts()
    assert set(made) == set(DASHBOARDS)
    assert [path.name for path, text in made.items() if path.read_text() != text] == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafana_s_schema_knows_every_key(path):
    before = loaded(path)
    after = json.loads(JSONEncoder().encode(model.Dashboard.from_json(before)))
    unknown = list(lost(before, after))
    assert [key for key in unknown if key.rsplit("/", 1)[1] not in ANNOTATION_KEYS] == []


@pytest.fixture(scope="module")
def exposed():
    return exposition()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_queries_name_only_what_the_daemon_exposes(path, exposed):
    queries = dashboard_queries(path)
    assert len(queries) > 10
    assert [problem for query in queries for problem in wrong(query, exposed)] == []


@pytest.mark.parametrize(
    "expr",
    [
        "surveil_no_such_metric",
        'surveil_camera_state{colour="red"}',
        'surveil_camera_state{state="asleep"}',
        'surveil_frame_age_seconds_bucket{le="0.4"}',
        "sum by (rule) (surveil_tracks)",
    ],
)
def test_the_check_finds_what_does_not_exist(expr, exposed):
    assert len(wrong(Query("here", expr), exposed)) == 1


@pytest.mark.parametrize("panel", panels())
def test_a_panel_says_what_it_is_for_and_where_its_data_come_from(panel):
    if panel["type"] != "text":
        assert panel["description"].endswith(".")
    for target in panel.get("targets", []):
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("panel", [p for p in panels() if p.values[0]["type"] not in UNITLESS])
def test_a_panel_has_a_unit(panel):
    assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_do_not_overlap_and_fill_their_rows(path):
    places = [panel["gridPos"] for panel in loaded(path)["panels"]]
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above
    for y in {place["y"] for place in places}:
        assert sum(place["w"] for place in places if place["y"] <= y < place["y"] + place["h"]) == 24


def test_dashboards_have_names_that_links_can_rely_on():
    made = {loaded(path)["uid"] for path in DASHBOARDS}
    assert made == {"surveil-fleet", "surveil-camera", "surveil-pipeline", "surveil-scene"}


def test_no_colour_is_fixed_for_one_theme():
    for path in DASHBOARDS:
        assert '"#' not in path.read_text()
        assert '"white"' not in path.read_text()
        assert '"black"' not in path.read_text()


def test_provisioning_points_to_the_files():
    import yaml

    folder = ROOT / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "surveil.yml").read_text())["datasources"]
    assert (source["type"], source["jsonData"]["timeInterval"]) == ("prometheus", "15s")
    (provider,) = yaml.safe_load((folder / "dashboards" / "surveil.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/surveil"

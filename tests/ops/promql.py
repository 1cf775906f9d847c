"""What PromQL names, held against what the daemon exposes; the queries of a dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

from surveil.app.metrics_page import _declared, _seen, filled

ROOT = Path(__file__).parents[2]
RULES_FILE = ROOT / "prometheus" / "surveil.rules.yml"
RULES = [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
DASHBOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))

TARGET = {"job", "instance"}
_SAMPLES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_count", "_sum")}
_OF_PROMETHEUS = {
    "up": {},
    "ALERTS": {"alertname": set(), "alertstate": {"firing", "pending"}, "camera": set(), "sink": set()},
}
_SELECTOR = re.compile(r"\b((?:surveil|process)[a-zA-Z0-9_:]*|up|ALERTS)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
_LABEL_LISTS = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")


@dataclass(frozen=True)
class Query:
    """One PromQL expression, and where it stands."""

    place: str
    expr: str
    labels: frozenset[str] = frozenset()
    """Labels that a legend or a link shows."""


def selectors(expr: str) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Yield (metric, whole selector, [(label, value)])."""
    for found in _SELECTOR.finditer(_LABEL_LISTS.sub("", expr)):
        matchers = [(label, value) for label, _, value in _MATCHER.findall(found[2] or "")]
        yield found[1], found[0], matchers


def exposition() -> dict[str, dict[str, set[str]]]:
    """Return by name of a sample, by label, the values known at start; a label without a series has none."""
    registry = CollectorRegistry()
    assert ProcessCollector(registry=registry) is not None
    declared = dict(_declared(filled(registry)))
    found: dict[str, dict[str, set[str]]] = {}
    for family in registry.collect():
        labels = declared.get(family.name) or _seen(family)
        for suffix in _SAMPLES.get(family.type, ("",)):
            found[family.name + suffix] = {label: set() for label in labels}
            if suffix == "_bucket":
                found[family.name + suffix]["le"] = set()
        for sample in family.samples:
            for label, value in sample.labels.items():
                found.setdefault(sample.name, {}).setdefault(label, set()).add(value)
    return found


def wrong(query: Query, exposed: Mapping[str, Mapping[str, set[str]]]) -> list[str]:
    """Return what the query names and nobody exposes: metrics, labels, values of closed sets, buckets."""
    known = {**exposed, **_OF_PROMETHEUS}
    problems, carried = [], set(TARGET)
    for name, _, matchers in selectors(query.expr):
        if name in RECORDED:
            carried.add("camera")
        elif name not in known:
            problems.append(f"{query.place}: there is no metric {name}")
        else:
            carried |= set(known[name])
            problems += [f"{query.place}: {text}" for text in _wrong_matchers(name, matchers, known[name])]
    used = query.labels | {
        label.strip() for labels in _LABEL_LISTS.findall(query.expr) for label in labels.split(",")
    }
    return problems + [f"{query.place}: no metric carries {label}" for label in sorted(used - carried)]


def _wrong_matchers(
    name: str, matchers: list[tuple[str, str]], labels: Mapping[str, set[str]]
) -> Iterator[str]:
    for label, value in matchers:
        if label in TARGET or value.startswith("$"):
            continue
        if label not in labels:
            yield f"{name} has no label {label}"
        elif labels[label] and (name, label) not in _DECIDED_BY_THE_MACHINE:
            yield from (
                f"{name} has no {label}={one!r}" for one in value.split("|") if one not in labels[label]
            )


_DECIDED_BY_THE_MACHINE = {
    ("surveil_execution_provider_info", "wanted"),
    ("surveil_execution_provider_info", "provider"),
}


def rule_queries() -> list[Query]:
    """Return the expression of every rule."""
    return [
        Query(
            rule.get("alert") or rule["record"],
            rule["expr"],
            frozenset(re.findall(r"\$labels\.(\w+)", str(rule.get("annotations", "")))),
        )
        for rule in RULES
    ]


def dashboard_queries(path: Path) -> list[Query]:
    """Return every query of a dashboard: of panels, annotations and variables."""
    dashboard = json.loads(path.read_text())
    found = []
    for panel in dashboard["panels"]:
        shown = frozenset(re.findall(r"__(?:field\.labels|data\.fields)\.(\w+)", json.dumps(panel)))
        found += [
            Query(
                f"{path.stem}: {panel['title']} {target['refId']}",
                target["expr"],
                shown | set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))),
            )
            for target in panel.get("targets", [])
        ]
    found += [
        Query(f"{path.stem}: annotation {one['name']}", one["expr"], _told(one))
        for one in dashboard["annotations"]["list"]
        if one.get("expr")
    ]
    return found + [Query(f"{path.stem}: variable {name}", expr) for name, expr in _variables(dashboard)]


def _told(annotation: Mapping[str, Any]) -> frozenset[str]:
    tags = annotation.get("tagKeys", "").split(",") if annotation.get("tagKeys") else []
    return frozenset(tags + re.findall(r"\{\{(\w+)\}\}", annotation.get("textFormat", "")))


def _variables(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the selector of each variable, grouped by its label, so that the label is checked as well."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(
                r"label_values\((.+), (\w+)\)", variable["query"]["query"]
            ).groups()
            yield variable["name"], f"group by ({label}) ({selector})"

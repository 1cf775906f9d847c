"""*Counting and normality*: what the cameras see when nothing alarms."""

from __future__ import annotations

from typing import Any

from dashboards import frame, kit, states
from dashboards.kit import Panel, query

SOME = 'instance="$instance",camera=~"$camera"'


def dashboard() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return frame.frame(
        "surveil-scene",
        "Counting and normality",
        "What the cameras see without an alarm: counts, occupancy, dwell times and surprise.",
        [
            ("Counting", _counting()),
            ("Learned normality", _normality()),
            ("Your own classifiers", _classifiers()),
        ],
        [frame.instance(), frame.camera(several=True)],
        hours=24,
    )


def _counting() -> list[Panel]:
    crossings = f"surveil_line_crossings_total{{{SOME}}}"
    return [
        kit.lines(
            "Crossings", "none",
            query(
                f"sum by (camera, line, direction) (increase({crossings}[$__interval])) > 0",
                "{{camera}}: {{line}} {{direction}}",
            ),
            why="Objects that crossed a line, by direction, in each interval.", bars=True, width=16,
        ),
        kit.levels(
            "Crossings in this time", "none",
            query(
                f"sum by (camera, line, direction, label) (increase({crossings}[$__range])) > 0",
                "{{camera}}: {{line}} {{direction}}, {{label}}",
                at_once=True,
            ),
            why="Objects that crossed a line, in total, by class.", empty="no line was crossed",
        ),
        kit.lines(
            "Occupancy", "none",
            query(
                f"sum by (camera, zone, label) (surveil_zone_occupancy{{{SOME}}})",
                "{{camera}}: {{zone}}, {{label}}",
            ),
            why="Objects in a zone.", stacked=True,
        ),
        kit.lines(
            "Dwell, median and 95 %", "s",
            *(
                query(
                    f"histogram_quantile({q}, sum by (camera, zone, le) "
                    f"(increase(surveil_zone_dwell_seconds_bucket{{{SOME}}}[1h])))",
                    f"{{{{camera}}}}: {{{{zone}}}}, {q:.0%}",
                )
                for q in (0.5, 0.95)
            ),
            why="How long objects stayed in a zone, over the last hour of each point.",
        ),
        kit.heat(
            "Dwell", "s", f"sum by (le) (increase(surveil_zone_dwell_seconds_bucket{{{SOME}}}[$__rate_interval]))",
            why="How the stays are spread.", width=8,
        ),
    ]  # fmt: skip


def _normality() -> list[Panel]:
    return [
        kit.lines(
            "Surprise", "none", query(f"max by (camera) (surveil_normality_surprise{{{SOME}}})", "{{camera}}"),
            query(f"max by (camera) (surveil_normality_threshold{{{SOME}}} < Inf)", "{{camera}}: threshold"),
            why="How unusual the last frame was, in powers of ten: 3 is one frame in a thousand. Values above "
            "the threshold are alarms. Without a model there is no threshold.", width=12,
        ),
        kit.lines(
            "Drift", "none", query(f"max by (camera) (surveil_normality_drift_ratio{{{SOME}}})", "{{camera}}"),
            why="Share of high scores, as a multiple of that during learning. Above 5 the model no longer fits "
            "and stops alerting.",
            limits=[(5, "red")], width=12,
        ),
        kit.timeline(
            "What it is doing", query(states.normality_state(SOME), "{{camera}}"),
            why="Learning; alerting more often than the budget (provisional); ready; or invalid, when the model "
            "is not used.",
            values=states.NORMALITY, width=12, height=6, empty="normality is not enabled",
        ),
        kit.timeline(
            "May it alert", query(f"max by (camera) (surveil_normality_alerting{{{SOME}}})", "{{camera}}"),
            why="Whether the learned model is valid.", values=states.VALID, width=12, height=6,
            empty="normality is not enabled",
        ),
        kit.lines(
            "Alarms kept back by shadow", "none",
            query(f"sum by (camera) (increase(surveil_normality_shadowed_total{{{SOME}}}[$__interval]))", "{{camera}}"),
            why="Alarms that were not raised because `shadow` is set.", bars=True, width=12, height=6,
        ),
        kit.lines(
            "Not learned from", "s",
            query(
                f"sum by (camera, reason) (increase(surveil_normality_held_seconds_total{{{SOME}}}[$__interval]))",
                "{{camera}}: {{reason}}",
            ),
            why="Footage that was not learned from, by reason, in each interval. An alert fires at nine tenths "
            "of a day.",
            bars=True, width=12, height=6,
        ),
        kit.lines(
            "How far it is", "percentunit",
            query(f"max by (camera) (surveil_normality_progress_ratio{{{SOME}}})", "{{camera}}"),
            why="Footage seen, as a share of what the calibration of the budget needs.",
            width=12, height=6,
        ),
        kit.lines(
            "Footage behind it", "s",
            query(f"max by (camera) (surveil_normality_learned_seconds{{{SOME}}})", "{{camera}}"),
            why="Footage that the model in use has learned from, and footage learned since.", width=12, height=6,
        ),
    ]  # fmt: skip


def _classifiers() -> list[Panel]:
    return [
        kit.lines(
            "Crops by class", "cps",
            query(
                "sum by (camera, model, label) "
                f"(rate(surveil_classifier_looks_total{{{SOME}}}[$__rate_interval]))",
                "{{camera}}, {{model}}: {{label}}",
            ),
            why="Crops classified, by class.", stacked=True,
        ),
        kit.lines(
            "Drift of classifiers", "percentunit",
            query(
                f"max by (camera, model) (surveil_classifier_drift_ratio{{{SOME}}})", "{{camera}}: {{model}}"
            ),
            why="Distance of the scores from those of the validation: 0 for equal, 100 % for disjoint "
            "distributions.", high=1,
        ),
        kit.lines(
            "A shadow beside the one in use", "cps",
            query(
                "sum by (model, label, shadow_label) "
                f"(rate(surveil_classifier_shadow_looks_total{{{SOME}}}[$__rate_interval]))",
                "{{model}}: {{label}} → {{shadow_label}}",
            ),
            why="Class of the classifier in use → class of the shadow for the same crop. Deploy the shadow if "
            "it is right where they differ.",
        ),
        kit.timeline(
            "In use", query('max by (model) (surveil_classifier_in_use{instance="$instance"})', "{{model}}"),
            why="Classifiers that rules name. The rules of a classifier that is not deployed are inactive.",
            values=states.IN_USE, width=12, empty="no rule names a classifier",
        ),
        kit.lines(
            "Time of one call", "s",
            *(
                query(
                    f"histogram_quantile({q}, sum by (le) "
                    '(rate(surveil_classifier_seconds_bucket{instance="$instance"}[$__rate_interval])))',
                    f"{q:.0%}",
                )
                for q in (0.5, 0.95)
            ),
            why="Time of a classifier for a batch of crops of all cameras; part of the stage `detect`.", width=12,
        ),
    ]  # fmt: skip

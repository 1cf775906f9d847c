"""What is counted from a rule's signal to the delivery of an alert."""

from __future__ import annotations

from surveil.metrics.make import AGE_S, Make

OUTCOMES = ("opened", "joined", "suppressed")
DELIVERY = ("pending", "delivered", "dead")


class AlertMetrics:
    """Signals, alerts, evidence, delivery. How deep the outbox is, is counted from the database at each scrape."""

    def __init__(self, make: Make) -> None:
        self.signals = make.counter(
            "surveil_signals", "Signals by what became of them.", "camera", "rule", "outcome"
        )
        self.suppressed = make.counter(
            "surveil_signals_suppressed", "Suppressed signals by reason.", "camera", "rule", "reason"
        )
        self.alerts = make.counter("surveil_alerts", "Alerts committed.", "camera", "rule")
        self.rule_errors = make.counter(
            "surveil_rule_errors", "Exceptions inside a rule; the other rules went on.", "camera", "rule"
        )
        self.capture_to_alert = make.histogram(
            "surveil_capture_to_alert_seconds", "From the arrival of a frame to its alert being on disk.",
            buckets=AGE_S,
        )  # fmt: skip
        self.withheld = make.counter(
            "surveil_alerts_withheld", "Alerts that were not committed, by reason; a digest tells of them.",
            "camera", "reason",
        )  # fmt: skip
        self.evidence_errors = make.counter(
            "surveil_evidence_errors", "Evidence that could not be written, by reason.", "reason"
        )
        self.delivery_attempts = make.counter(
            "surveil_delivery_attempts", "Attempts to deliver, by result.", "sink", "result"
        )

    def add_rules(self, camera: str, rules: tuple[str, ...]) -> None:
        """Create the series of a camera's rules at 0, where they are not there."""
        for rule in rules:
            self.alerts.labels(camera, rule)
            self.rule_errors.labels(camera, rule)
            for outcome in OUTCOMES:
                self.signals.labels(camera, rule, outcome)

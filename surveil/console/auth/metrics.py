"""Metrics of the console."""

from __future__ import annotations

from surveil.metrics import Make, MetricsPart

LOGINS = ("good", "refused", "limited")
AUDIT = ("stored", "lost", "sent", "rejected", "left_out")


class ConsoleMetrics(MetricsPart):
    """Logins and the audit log."""

    def __init__(self, make: Make) -> None:
        self.logins = make.counter("surveil_console_logins", "Logins to the console, by result.", "result")
        self.audit = make.counter(
            "surveil_console_audit_entries", "Entries of the audit log, by result.", "result"
        )
        for result in LOGINS:
            self.logins.labels(result)
        for result in AUDIT:
            self.audit.labels(result)

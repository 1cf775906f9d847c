"""Alerts on their way out: evidence, the outbox that survives anything but the disk, couriers and sinks."""

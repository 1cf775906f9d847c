"""Alerts from the engine to the receivers: evidence, the outbox, couriers and sinks."""

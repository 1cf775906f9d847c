"""`surveil run`."""

from __future__ import annotations

from surveil.cli.common import DEFAULT_CONFIG, ConfigPath, open_detector, read_config
from surveil.threads import leave


def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the daemon until it receives a signal.

    Each intrusion, line crossing, loitering or crowd becomes one event with a start alert and an end alert. Alerts are
    stored on disk, then delivered to the sinks. Prometheus metrics are served at `http.listen`.

    Exit codes: 0: SIGTERM or SIGINT; 78: mistake in the configuration, or its model or state directory cannot
    be used; 70: a thread did not stop at shutdown (its stack is in the log); 1: failure that a restart may fix
    (no GPU where one is required, full disk, damaged database, internal error).

    Example: `surveil run -c /etc/surveil/config.yaml`
    """
    from surveil.app.daemon import Daemon  # noqa: PLC0415 - other commands start faster without it
    from surveil.capture.picture import keep_heap_small  # noqa: PLC0415 - see above

    keep_heap_small()
    settings = read_config(config, needs_model=True, needs_secrets=True)
    leave(Daemon(settings, open_detector(settings)).run())

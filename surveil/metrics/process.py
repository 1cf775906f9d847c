"""What is told of the program itself."""

from __future__ import annotations

from surveil.metrics.make import Make


class ProcessMetrics:
    """What runs, and whether the configuration that runs is the one in the file."""

    def __init__(self, make: Make) -> None:
        self.version = ""
        self.info = make.info("surveil_build", "Version.")
        self.provider = make.info(
            "surveil_execution_provider", "The ONNX Runtime provider that is really used."
        )
        self.reload_good = make.gauge(
            "surveil_config_last_reload_successful",
            "1 when the last reload of the configuration was taken, 0 when it was refused.",
        )
        self.reload_at = make.gauge(
            "surveil_config_last_reload_success_timestamp_seconds",
            "When the configuration that runs was taken, Unix time.",
        )
        self.restart_wanted = make.gauge(
            "surveil_config_restart_required",
            "1 while the file says something that only a restart brings.",
        )

    def add_process(self, *, version: str, config: str, provider: str, model: str, wanted: str) -> None:
        """Say what runs: the version, the configuration's digest, and where the model runs and should."""
        self.version = version
        self.configured(config)
        self.provider.info({"provider": provider, "model": model, "wanted": wanted})

    def configured(self, config: str) -> None:
        """Name the digest of the configuration."""
        self.info.info({"version": self.version, "config": config})

"""A real Prometheus that scrapes a daemon with the shipped scrape configuration and rules."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from dashboards.ask import Prometheus
from tests.integration.world import wait_for
from tests.ops.promql import ROOT


class Server:
    """Runs `prometheus` on loopback, with intervals of a second instead of 15. Use as a context manager."""

    def __init__(self, folder: Path, target: str):
        if shutil.which("prometheus") is None:
            if os.environ.get("CI") == "true":
                pytest.fail("prometheus is missing")
            pytest.skip("prometheus is missing")
        folder.mkdir()
        self._folder = folder
        self._write(target)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def _write(self, target: str):
        shipped = yaml.safe_load((ROOT / "prometheus" / "scrape.yml").read_text())
        shipped["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = shipped["scrape_configs"]
        job["static_configs"] = [{"targets": [target]}]
        del shipped["alerting"]
        rules = yaml.safe_load((ROOT / "prometheus" / "surveil.rules.yml").read_text())
        for group in rules["groups"]:
            group["interval"] = "1s"
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(shipped))
        (self._folder / "surveil.rules.yml").write_text(yaml.safe_dump(rules))

    def __enter__(self) -> Prometheus:
        self._log = (self._folder / "log").open("wb")
        self._child = subprocess.Popen(
            [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address={self.address}",
                "--log.level=warn",
            ],
            cwd=self._folder,
            stdout=self._log,
            stderr=self._log,
        )
        wait_for(self._is_ready)
        return Prometheus(self.address)

    def _is_ready(self) -> bool:
        assert self._child.poll() is None, (self._folder / "log").read_text()
        with suppress(URLError), urlopen(f"http://{self.address}/-/ready", timeout=5) as answer:
            return answer.status == 200
        return False

    def __exit__(self, *exc):
        self._child.terminate()
        self._child.wait(10)
        self._log.close()

"""The compose stack, as far as it can be tested without a container engine: paths, ports, pins, configurations."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

from surveil.config import load
from surveil.listening import HttpSettings
from tests.ops.promql import ROOT

STACK = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = STACK["services"]
CONTAINERFILE = (ROOT / "Containerfile").read_text()


def mounts():
    return [
        (name, *volume.split(":"))
        for name, service in SERVICES.items()
        for volume in service.get("volumes", ())
    ]


def test_every_file_that_is_mounted_exists_and_is_read_only():
    files = [mount for mount in mounts() if mount[1].startswith(".")]
    assert files
    assert [source for _, source, *_ in files if not (ROOT / source).exists()] == []
    assert [mount for mount in files if mount[-1] != "ro"] == []


def test_every_volume_is_declared():
    named = {mount[1] for mount in mounts() if not mount[1].startswith(".")}
    assert named == set(STACK["volumes"])


def test_everything_is_published_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned_and_containers_have_no_privileges():
    for service in SERVICES.values():
        assert re.search(r":(?!latest)[\w.-]+$", service["image"])
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_secret_is_written_down():
    for name in ("SURVEIL_TOKEN", "GRAFANA_PASSWORD"):
        text = (ROOT / "compose.yaml").read_text()
        assert re.findall(rf"\$\{{{name}:\?[^}}]+\}}", text)


def test_the_daemon_s_configuration_is_good(monkeypatch):
    monkeypatch.setenv("YARD_URL", "rtsp://camera.example/stream2")
    monkeypatch.setenv("SURVEIL_TOKEN", "a-token-of-a-test")
    config = load(ROOT / "compose" / "config.yaml")
    assert not config.http.is_loopback
    assert config.http.listen.endswith(HttpSettings().listen.rsplit(":", 1)[1])


def test_prometheus_differs_from_the_example_only_in_addresses():
    made = yaml.safe_load((ROOT / "compose" / "prometheus.yml").read_text())
    example = yaml.safe_load((ROOT / "prometheus" / "scrape.yml").read_text())
    assert made["global"] == example["global"]
    (job,), (other,) = made["scrape_configs"], example["scrape_configs"]
    assert job["job_name"] == other["job_name"]
    assert job["static_configs"] == [{"targets": ["surveil:9108"]}]
    assert made["rule_files"] == ["/etc/prometheus/surveil.rules.yml"]
    assert made["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]


def test_grafana_finds_the_dashboards_where_they_are_mounted():
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/surveil.yml").read_text())[
        "providers"
    ][0]
    targets = {mount[2] for mount in mounts() if mount[0] == "grafana"}
    assert provider["options"]["path"] in targets


def test_the_image_runs_the_python_that_the_pins_are_for():
    images = re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)
    assert set(images) == {"python:3.11-slim-bookworm"}
    assert "Python 3.11" in (ROOT / "requirements" / "run.txt").read_text().splitlines()[0]


def test_the_image_is_built_from_files_that_exist_and_are_let_in():
    copied = [
        path
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
        for path in line.split()
    ]
    let_in = (ROOT / ".containerignore").read_text().splitlines()
    assert copied
    assert [path for path in copied if not (ROOT / path).exists() or f"!{path}" not in let_in] == []


def test_the_image_has_all_that_the_wheel_is_built_from():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {project["project"]["readme"], *wheel["packages"], *wheel["force-include"]}
    assert needed | {"hatch_build.py", "model_build"} <= set(CONTAINERFILE.split())


def test_the_container_does_not_run_as_root():
    assert re.search(r"^USER [1-9]\d*$", CONTAINERFILE, re.MULTILINE)


def amtool(*words):
    if shutil.which("amtool") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("amtool is missing")
        pytest.skip("amtool is missing")
    config = str(ROOT / "prometheus" / "alertmanager.yml")
    done = subprocess.run(
        ["amtool", *words[:1], *(word.replace("CONFIG", config) for word in words[1:])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.server
def test_amtool_accepts_the_example_for_alertmanager():
    assert "SUCCESS" in amtool("check-config", "CONFIG")


@pytest.mark.server
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=SurveilDeadMansSwitch", "severity=none"), "dead-mans-switch"),
        (("alertname=intrusion", "camera=yard", "rule=intrusion", "severity=event"), "events"),
        (("alertname=SurveilCameraDown", "camera=yard", "severity=critical"), "pager"),
        (("alertname=SurveilOnCpu", "severity=warning"), "mail"),
    ],
)
def test_alerts_go_where_they_belong(labels, receiver):
    assert amtool("config", "routes", "test", "--config.file=CONFIG", *labels).strip() == receiver

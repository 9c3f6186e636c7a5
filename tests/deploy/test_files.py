"""deploy/ against the schemas of what reads it, and against the service: every name that it uses exists."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import compose_spec
import httpx
import kubernetes_validate
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.files import (
    ALERTS,
    COMPOSE,
    DASHBOARD,
    DEPLOY,
    KUBERNETES,
    alerts,
    documents,
    manifest,
    panels,
)
from undertone_service.commands.serve import STOP_SECONDS
from undertone_service.settings import Settings

FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
TEXTS = [path for path in FILES if path.suffix != ".png"]
POD_SPECS = {
    "fleet": manifest("fleet", "Deployment")["spec"]["template"]["spec"],
    "voices": manifest("voices", "StatefulSet")["spec"]["template"]["spec"],
}


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix in (".yaml", ".yml")], ids=lambda p: p.name)
def test_yaml_is_yaml(path: Path) -> None:
    assert all(isinstance(document, dict) for document in documents(path))


def test_every_setting_that_is_named_exists() -> None:
    known = {f"UNDERTONE_{name.upper()}" for name in Settings.model_fields}
    for path in TEXTS:
        named = set(re.findall(r"UNDERTONE_[A-Z_]+", path.read_text(encoding="utf-8")))
        assert named <= known, path


def test_compose_keeps_to_its_specification() -> None:
    project = compose_spec.PyCompose.from_yaml(COMPOSE.read_text(encoding="utf-8"))
    project.validate_networks()
    project.validate_volumes()
    project.validate_secrets()
    assert set(project.service_names()) == {"undertone", "caddy", "prometheus", "grafana"}


def test_compose_names_files_and_variables_that_are_there() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    told = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    for variable in [*re.findall(r"\$\{(\w+):\?", text), "METRICS_KEY"]:
        assert re.search(rf"^{variable}=", told, re.MULTILINE), variable
    for service in documents(COMPOSE)[0]["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists(), source
    build = documents(COMPOSE)[0]["services"]["undertone"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).exists()


def test_the_example_of_keys_is_one_that_the_service_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    keys = re.search(r"^UNDERTONE_API_KEYS='(.*)'$", told, re.MULTILINE)
    assert keys
    monkeypatch.setenv("UNDERTONE_API_KEYS", keys[1])
    assert set(Settings(host="0.0.0.0").api_keys) == {"default", "metrics"}
    assert re.search(r"^METRICS_KEY=(.*)$", told, re.MULTILINE)[1] in keys[1]  # type: ignore[index]


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda p: p.name)
def test_kubernetes_manifests_keep_to_their_schemas(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, "1.31", strict=True)


def test_kubernetes_manifests_fit_together() -> None:
    service, ingress = manifest("common", "Service"), manifest("common", "Ingress")
    path = ingress["spec"]["rules"][0]["http"]["paths"][0]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    deployment, scaler = manifest("fleet", "Deployment"), manifest("fleet", "HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]  # or each apply would undo the autoscaler
    for kind, name in (("Deployment", "fleet"), ("StatefulSet", "voices")):
        labels = manifest(name, kind)["spec"]["template"]["metadata"]["labels"]
        assert (
            labels == service["spec"]["selector"] == manifest(name, kind)["spec"]["selector"]["matchLabels"]
        )
    budget = manifest("fleet", "PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]


def test_both_kinds_of_pod_differ_in_their_store_only() -> None:
    fleet, voices = (dict(spec) for spec in POD_SPECS.values())
    stores = [spec.pop("volumes") for spec in (fleet, voices)]
    fleet.pop("topologySpreadConstraints")
    assert fleet == voices
    assert [volume for volume in stores[0] if volume["name"] != "data"] == stores[1]
    assert manifest("voices", "StatefulSet")["spec"]["replicas"] == 1


def settings_of(variables: dict[str, Any]) -> Settings:
    """Return the settings that variables of the environment make."""
    given = {
        k.removeprefix("UNDERTONE_").lower(): v for k, v in variables.items() if k.startswith("UNDERTONE_")
    }
    given.pop("api_keys", None)
    return Settings.model_validate({k: v for k, v in given.items() if not str(v).startswith("$")})


def test_whoever_stops_the_service_waits_until_it_has_drained() -> None:
    configured = settings_of(manifest("common", "ConfigMap")["data"])
    for spec in POD_SPECS.values():
        (container,) = spec["containers"]
        slept = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
        wanted = slept + configured.drain_seconds + 2 * STOP_SECONDS
        assert wanted < spec["terminationGracePeriodSeconds"] <= wanted + 60
    service = documents(COMPOSE)[0]["services"]["undertone"]
    wanted = settings_of(service["environment"]).drain_seconds + 2 * STOP_SECONDS
    assert wanted <= int(service["stop_grace_period"].removesuffix("s")) <= wanted + 60


def test_the_autoscaler_begins_before_streams_are_refused() -> None:
    (metric,) = manifest("fleet", "HorizontalPodAutoscaler")["spec"]["metrics"]
    limit = settings_of(manifest("common", "ConfigMap")["data"]).max_streams
    assert float(metric["pods"]["target"]["averageValue"]) <= 0.7 * limit


@pytest.fixture
async def metric_names(server_url: str) -> set[str]:
    """Every name under which a running service has a series."""
    async with httpx.AsyncClient(base_url=server_url) as client:
        families = list(text_string_to_metric_families((await client.get("/metrics")).text))
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    return names | {sample.name for family in families for sample in family.samples}


def expressions() -> list[tuple[str, str]]:
    """Return whose, and which, every query of alerts, dashboard and autoscaler is."""
    (scaled,) = manifest("fleet", "HorizontalPodAutoscaler")["spec"]["metrics"]
    return [
        *((rule["alert"], rule["expr"]) for rule in alerts()),
        *((panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]),
        ("autoscaler", scaled["pods"]["metric"]["name"]),
    ]


async def test_every_metric_that_is_asked_for_is_there(metric_names: set[str]) -> None:
    asked = 0
    for name, expression in expressions():
        for metric in re.findall(r"\b(?:undertone|process)_\w+", expression):
            asked += 1
            assert metric in metric_names, (name, metric)
    assert asked > 25


async def test_every_metric_is_on_the_dashboard_or_in_an_alert(metric_names: set[str]) -> None:
    queries = " ".join(expression for _, expression in expressions())
    for name in metric_names:
        family = re.sub(r"_(bucket|sum|count|created|total)$", "", name)
        assert not name.startswith("undertone_") or family in queries, name


def test_the_dashboard_reads_from_the_datasource_that_is_provisioned() -> None:
    (source,) = documents(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")[0]["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels()} == {source["uid"]}
    (provider,) = documents(DEPLOY / "grafana/provisioning/dashboards/undertone.yaml")[0]["providers"]
    mounts = documents(COMPOSE)[0]["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert DASHBOARD.parent == DEPLOY / "grafana" / "dashboards"
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_prometheus_asks_with_the_key_that_compose_hands_it() -> None:
    config = documents(DEPLOY / "prometheus" / "prometheus.yml")[0]
    (job,) = config["scrape_configs"]
    secret = job["authorization"]["credentials_file"].rpartition("/")[2]
    compose = documents(COMPOSE)[0]
    assert secret in compose["secrets"]
    assert secret in compose["services"]["prometheus"]["secrets"]
    assert config["rule_files"] == [ALERTS.name]


def test_every_alert_is_explained() -> None:
    operations = (DEPLOY.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    for rule in alerts():
        assert f"`{rule['alert']}`" in operations


promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="no promtool: Debian's package prometheus has it"
)


@promtool
def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "prometheus", tmp_path, dirs_exist_ok=True)
    (tmp_path / "key").write_text("a-key")
    config = tmp_path / "prometheus.yml"
    config.write_text(config.read_text().replace("/run/secrets/metrics_key", str(tmp_path / "key")))
    for check in (["check", "config", str(config)], ["check", "rules", str(ALERTS)]):
        done = subprocess.run(["promtool", *check], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_alerts_fire_when_they_should_and_not_before() -> None:
    cases = Path(__file__).parent / "alerts_test.yml"
    done = subprocess.run(["promtool", "test", "rules", str(cases)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = {case["alertname"] for test in documents(cases)[0]["tests"] for case in test["alert_rule_test"]}
    assert tested == {rule["alert"] for rule in alerts()}

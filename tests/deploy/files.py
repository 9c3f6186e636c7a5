"""What lies in deploy/, read as what will read it does."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "undertone.json"


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the YAML documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def manifest(name: str, kind: str) -> dict[str, Any]:
    """Return the one manifest of a kind in a file of deploy/kubernetes."""
    (found,) = (d for d in documents(DEPLOY / "kubernetes" / f"{name}.yaml") if d["kind"] == kind)
    return found


def alerts() -> list[dict[str, Any]]:
    """Return the alert rules."""
    return [rule for group in documents(ALERTS)[0]["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found

"""docs/operations.md is true: it names every setting and metric, and its commands do what it says."""

import io
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import soundfile
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.files import ROOT
from tests.service.served import served
from tests.voices import silence, voice
from undertone_service.settings import Settings

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def commands(heading: str) -> str:
    """Return the shell block under a heading."""
    found = re.search(rf"^### {heading}\n.*?^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def run(heading: str, data: Path, backup: Path) -> None:
    """Run what is documented, as an operator would."""
    path = f"{Path(sys.executable).parent}:/bin:/usr/bin"
    environment = {"UNDERTONE_DATA_DIR": str(data), "BACKUP": str(backup), "PATH": path}
    done = subprocess.run(
        ["sh", "-e", "-c", commands(heading)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_has_its_theme() -> None:
    named = re.findall(r"`UNDERTONE_(\w+)`", TEXT)
    assert {name.lower() for name in named} == set(Settings.model_fields)


async def test_every_metric_is_explained(server_url: str) -> None:
    async with httpx.AsyncClient(base_url=server_url) as client:
        families = list(text_string_to_metric_families((await client.get("/metrics")).text))
    for family in families:
        if family.name.startswith("undertone_") and not family.name.endswith("_created"):
            name = family.name.removeprefix("undertone_") + ("_total" if family.type == "counter" else "")
            assert re.search(rf"`{name}[`{{]", TEXT), name


def names(url: str) -> set[str]:
    speakers = httpx.get(f"{url}/v1/speakers").json()["speakers"]
    return {f"{speaker['id']} {speaker['state']}" for speaker in speakers}


def enrol(url: str, name: str) -> None:
    """Enrol a voice."""
    body = {"id": name, "name": name, "consent": {"given": True, "by": "a test, on paper"}}
    assert httpx.post(f"{url}/v1/speakers", json=body).status_code == 201
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([voice(7.0, pitch=115, seed=3), silence(0.5)]), 16000, format="WAV")
    stored = httpx.post(f"{url}/v1/speakers/{name}/enrollments", content=file.getvalue(), timeout=60)
    assert stored.status_code == 201, stored.text


def test_a_backup_is_made_while_the_service_runs_and_brings_voices_back(
    bundle_folder: Path, tmp_path: Path
) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.db"
    with served(bundle_folder, data) as server:
        enrol(server.url, "ann")
        run("Back up", data, backup)
        assert backup.stat().st_mode & 0o077 == 0
        enrol(server.url, "ben")
        assert httpx.delete(f"{server.url}/v1/speakers/ann").status_code == 204
        assert names(server.url) == {"ben ready"}
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    run("Restore", data, backup)
    with served(bundle_folder, data) as server:
        assert names(server.url) == {"ann ready"}
        assert httpx.delete(f"{server.url}/v1/speakers/ann").status_code == 204

"""The Dockerfile: each step of the target cpu carried out, its command started, its health check asked."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Builder, command, ignored, lineage, read
from tests.deploy.files import DEPLOY, ROOT

DOCKERFILE = DEPLOY / "Dockerfile"
STAGES = read(DOCKERFILE)


def index_is_reachable() -> bool:
    """Whether packages can be had here."""
    ask = [
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--no-deps",
        "--retries=0",
        "setuptools",
    ]
    return subprocess.run([sys.executable, *ask], capture_output=True, timeout=120).returncode == 0


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_a_target_ends_as_nobody_and_is_watched(target: str) -> None:
    steps = lineage(STAGES, target)
    (user,) = (step.rest for step in steps if step.instruction == "USER")
    assert all(part.isdigit() and int(part) > 1000 for part in user.split(":"))
    (check,) = (step for step in steps if step.instruction == "HEALTHCHECK")
    assert command(check)[0] == "python"
    (start,) = (step for step in steps if step.instruction == "CMD")
    assert command(start) == ["undertone", "serve"]
    assert not any(step.instruction == "RUN" for step in steps)  # what builds is left behind


def test_both_targets_are_the_same_but_for_the_extra_that_they_install() -> None:
    builds = [STAGES[f"build-{name}"].steps for name in ("cpu", "gpu")]
    assert [step.rest for build in builds for step in build] == [
        "/opt/undertone/bin/pip install '.[server]'",
        "/opt/undertone/bin/pip install '.[gpu]'",
    ]


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("pyproject.toml", False),
        ("service/undertone_service/web/page/index.html", False),
        ("models/undertone_zoo/undertone-streaming/encoder.onnx", False),
        ("models/results/some.json", True),
        ("service/undertone_service/__pycache__/settings.cpython-311.pyc", True),
        (".git/config", True),
        (".venv/bin/python", True),
        ("shared/data/labels.csv", True),
        ("deploy/.env", True),
        ("tests/conftest.py", True),
    ],
)
def test_the_context_holds_what_the_wheel_needs_and_nothing_else(path: str, out: bool) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored(Path(path), [line for line in lines if line and not line.startswith("#")]) is out


@pytest.mark.timeout(1200)
@pytest.mark.skipif(os.name != "posix", reason="steps are written for a POSIX shell")
def test_every_step_of_the_cpu_target_runs_and_the_service_answers(tmp_path: Path) -> None:
    if not index_is_reachable():
        pytest.skip("no package index can be reached from here: the Dockerfile's steps were not run")
    environment = Builder(DOCKERFILE, ROOT, tmp_path).build("cpu")
    folder = tmp_path / "cpu"
    assert (folder / "data").stat().st_mode & 0o777 == 0o700
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment |= {
        "PATH": environment["PATH"].replace("$PATH", os.environ["PATH"]),
        "UNDERTONE_HOST": "127.0.0.1",  # an image listens on 0.0.0.0; a test must not
        "UNDERTONE_PORT": str(port),
        "UNDERTONE_API_KEYS": '{"default": "a-key-of-sixteen-or-more"}',
        "HOME": str(tmp_path),
    }
    steps = {step.instruction: step for step in lineage(STAGES, "cpu")}
    with subprocess.Popen(
        command(steps["CMD"]), env=environment, cwd=tmp_path, text=True, stderr=-1
    ) as service:
        try:
            healthy = 1
            until = time.monotonic() + 60
            while healthy and service.poll() is None and time.monotonic() < until:
                healthy = subprocess.run(
                    command(steps["HEALTHCHECK"]), env=environment, capture_output=True, timeout=30
                ).returncode
                time.sleep(0.2)
            assert healthy == 0, service.stderr and service.stderr.read()
            assert (folder / "data" / "undertone.db").exists()
            service.send_signal(signal.SIGTERM)
            assert service.wait(60) == 0
        finally:
            service.kill()
    assert subprocess.run(command(steps["HEALTHCHECK"]), env=environment, capture_output=True).returncode != 0

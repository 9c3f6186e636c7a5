"""What all tests share: a small bundle, and a real server on a real port."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tests.tiny_bundle import tiny_bundle
from undertone_service.settings import Settings
from undertone_service.web.app import create_app


@pytest.fixture(scope="session")
def bundle_folder(request: pytest.FixtureRequest) -> Path:
    """Folder that holds the tiny bundle."""
    return tiny_bundle(Path(request.config.cache.mkdir("undertone")))


def run_server(settings: Settings) -> Iterator[str]:
    """Run the whole service on a free port of this machine; yield its address.

    Tests send as fast as they can: the load that this makes is a reason to refuse only where limits of it are given.
    """
    easy = {name: 1000.0 for name in ("max_load", "max_step_delay") if name not in settings.model_fields_set}
    settings = settings.model_copy(update=easy)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(settings), log_level="warning", ws="websockets-sansio", ws_max_size=settings.max_message_bytes,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=20)
    listener.close()


@pytest.fixture(scope="session")
def server_settings(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the shared server."""
    return Settings(
        bundle_dirs=(bundle_folder,),
        default_bundle="tiny",
        data_dir=tmp_path_factory.mktemp("data"),
        max_rate=1000.0,
    )


@pytest.fixture(scope="session")
def server_url(server_settings: Settings) -> Iterator[str]:
    """Address of a running server that all tests may use."""
    yield from run_server(server_settings)

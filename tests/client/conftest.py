from collections.abc import Iterator

import pytest

from tests.client.http_peer import Peer, running_peer


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the caller's own server and key out of the tests."""
    monkeypatch.delenv("UNDERTONE_URL", raising=False)
    monkeypatch.delenv("UNDERTONE_API_KEY", raising=False)


@pytest.fixture
def http_peer() -> Iterator[Peer]:
    with running_peer() as peer:
        yield peer

import pytest

from undertone_client.address import authorization, rest_url, socket_url
from undertone_service.protocol.errors import UndertoneError


@pytest.mark.parametrize(
    ("given", "socket", "rest"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/v1/stream", "http://127.0.0.1:8000/v1/"),
        ("wss://voice.example/", "wss://voice.example/v1/stream", "https://voice.example/v1/"),
        ("https://example.org/voice", "wss://example.org/voice/v1/stream", "https://example.org/voice/v1/"),
        ("ws://[::1]:9", "ws://[::1]:9/v1/stream", "http://[::1]:9/v1/"),
    ],
)
def test_one_address_serves_both(given: str, socket: str, rest: str) -> None:
    assert socket_url(given, {}) == socket
    assert rest_url(given) == rest


def test_the_query_is_escaped() -> None:
    assert socket_url("ws://h", {"verify": "0:a&b"}) == "ws://h/v1/stream?verify=0%3Aa%26b"


def test_the_environment_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_URL", "https://far.example")
    monkeypatch.setenv("UNDERTONE_API_KEY", "k3y")
    assert rest_url(None) == "https://far.example/v1/"
    assert rest_url("http://near") == "http://near/v1/"
    assert authorization(None) == {"Authorization": "Bearer k3y"}
    assert authorization("") == {}
    monkeypatch.delenv("UNDERTONE_URL")
    assert rest_url(None) == "http://127.0.0.1:8000/v1/"


@pytest.mark.parametrize(
    "given",
    ["127.0.0.1:8000", "ftp://h", "http://", "http://key@h", "ws://h/?key=1", "http://h:x", "http://[1"],
)
def test_an_address_that_cannot_be_called(given: str) -> None:
    with pytest.raises(UndertoneError, match="scheme, host and port"):
        rest_url(given)


@pytest.mark.parametrize("key", ["a b", "a\nX-Evil: 1", "schlüssel"])
def test_a_key_that_cannot_stand_in_a_header_is_not_shown(key: str) -> None:
    with pytest.raises(UndertoneError) as refused:
        authorization(key)
    assert key not in str(refused.value)

"""Where the server is and how a caller identifies himself: arguments first, then the environment."""

import os
from urllib.parse import urlencode, urlsplit, urlunsplit

from undertone_service.protocol.errors import ErrorCode, UndertoneError

DEFAULT_URL = "http://127.0.0.1:8000"
_SECURE = {"http": False, "ws": False, "https": True, "wss": True}


def socket_url(url: str | None, query: dict[str, str]) -> str:
    """Return the address of ``/v1/stream`` at a server given by an http or ws address."""
    secure, place, path = _parts(url)
    return urlunsplit(("wss" if secure else "ws", place, f"{path}/v1/stream", urlencode(query), ""))


def rest_url(url: str | None) -> str:
    """Return the base address of the REST calls at a server given by an http or ws address."""
    secure, place, path = _parts(url)
    return urlunsplit(("https" if secure else "http", place, f"{path}/v1/", "", ""))


def authorization(api_key: str | None) -> dict[str, str]:
    """Return the header that carries the key (``UNDERTONE_API_KEY`` if none is given), or none.

    Raises:
        UndertoneError: ``bad_request`` where the key cannot stand in a header.
    """
    key = os.environ.get("UNDERTONE_API_KEY", "") if api_key is None else api_key
    if not key:
        return {}
    if not all("!" <= character <= "~" for character in key):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            "The API key holds a space, a line break or a character outside ASCII.",
            "Set UNDERTONE_API_KEY to the key exactly as it was issued.",
        )
    return {"Authorization": f"Bearer {key}"}


def _parts(url: str | None) -> tuple[bool, str, str]:
    """Return (is it TLS, host and port, path prefix) of a server's address."""
    given = url or os.environ.get("UNDERTONE_URL") or DEFAULT_URL
    try:
        parts = urlsplit(given)
        callable_ = parts.scheme in _SECURE and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        callable_ = False
    if not callable_ or parts.username or parts.query:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            "The server's address is not one that can be called.",
            f"Give scheme, host and port only, such as {DEFAULT_URL} or wss://undertone.example.",
        )
    return _SECURE[parts.scheme], parts.netloc, parts.path.rstrip("/")

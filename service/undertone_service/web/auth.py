"""Who may connect: API keys name tenants, and pages of other hosts are kept out."""

import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.settings import DEFAULT_TENANT, is_loopback, key_digest

SUBPROTOCOL = "undertone"
DEFAULT_PORTS = {"http": 80, "https": 443}


class Access:
    """Decides for each request and socket whether it may connect, and as which tenant.

    ``keys``: tenant to SHA-256 digests of its keys; none: everybody on this machine is ``default``.
    """

    def __init__(self, keys: Mapping[str, Sequence[str]], allowed_origins: Sequence[str]) -> None:
        self._keys = keys
        self._allowed_origins = frozenset(allowed_origins)
        self._allowed_hosts = frozenset(urlsplit(origin).hostname for origin in allowed_origins)

    def tenant(self, headers: Headers, subprotocols: Sequence[str] = ()) -> str:
        """Return the tenant of a request.

        The key comes as ``Authorization: Bearer``, or from a browser's socket as the subprotocol pair
        ``undertone, <key>``; the socket is then accepted with the subprotocol ``undertone``.

        Raises:
            UndertoneError: ``unauthorised``.
        """
        if not self._keys:
            return DEFAULT_TENANT
        digest = key_digest(_key(headers, subprotocols))
        found = None
        for tenant, digests in self._keys.items():  # all of them, so that time tells nothing
            for known in digests:
                if hmac.compare_digest(known, digest):
                    found = tenant
        if found is None:
            raise UndertoneError(
                ErrorCode.UNAUTHORISED,
                "No valid API key was given.",
                "Send the header 'Authorization: Bearer <key>', or from a browser's socket the "
                f"subprotocols '{SUBPROTOCOL}, <key>'.",
            )
        return found

    def check_origin(self, headers: Headers) -> None:
        """Refuse what a page of another host sends; programs, which send no ``Origin``, pass.

        Without keys the ``Host`` has to be this machine too, or a page could have its own host name
        resolved to 127.0.0.1 and so pass for the same origin.

        Raises:
            UndertoneError: ``forbidden_origin``.
        """
        host = headers.get("host", "")
        if not self._keys and not self._is_known_host(host):
            raise _forbidden(f"The host name {host[:100]!r} is not this machine's.")
        origin = headers.get("origin", "").lower()
        if origin and origin not in self._allowed_origins and not _same_host(origin, host):
            raise _forbidden(f"Pages of {origin[:100]!r} may not connect.")

    def _is_known_host(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self._allowed_hosts


def _key(headers: Headers, subprotocols: Sequence[str]) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    if len(subprotocols) == 2 and subprotocols[0] == SUBPROTOCOL:
        return subprotocols[1]
    return ""


def _same_host(origin: str, host: str) -> bool:
    try:
        page, served = urlsplit(origin), urlsplit(f"//{host}")
        default = DEFAULT_PORTS.get(page.scheme)
        return (
            default is not None
            and page.hostname == served.hostname
            and (page.port or default) == (served.port or default)
        )
    except ValueError:  # not a port
        return False


def _forbidden(problem: str) -> UndertoneError:
    return UndertoneError(
        ErrorCode.FORBIDDEN_ORIGIN,
        problem,
        "Open the page that this server serves, or have its operator add yours to UNDERTONE_ALLOWED_ORIGINS.",
    )

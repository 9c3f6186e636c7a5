"""Who may connect: keys name tenants, pages of other hosts are refused."""

import pytest
from starlette.datastructures import Headers

from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.settings import Settings
from undertone_service.web.auth import Access

KEY, OTHER = "the-first-key-of-acme", "a-key-of-somebody-else"


def access(*, keys: bool = True, origins: tuple[str, ...] = ()) -> Access:
    given = {"acme": ["another-key-of-acme", KEY], "else": OTHER} if keys else {}
    settings = Settings.model_validate({"api_keys": given, "allowed_origins": origins})
    return Access(settings.api_keys, settings.allowed_origins)


@pytest.mark.parametrize(("key", "tenant"), [(KEY, "acme"), (OTHER, "else")])
def test_a_key_names_its_tenant(key: str, tenant: str) -> None:
    for scheme in ("Bearer", "bearer"):
        assert access().tenant(Headers({"authorization": f"{scheme} {key}"})) == tenant
    assert access().tenant(Headers({}), ("undertone", key)) == tenant


@pytest.mark.parametrize(
    ("authorization", "subprotocols"),
    [
        (None, ()),
        ("", ()),
        ("Bearer", ()),
        ("Bearer wrong-key-wrong-key", ()),
        (f"Basic {KEY}", ()),
        (KEY, ()),
        (None, ("undertone",)),
        (None, (KEY,)),
        (None, ("undertone", "wrong-key-wrong-key")),
        (None, ("other", KEY)),
        (None, ("undertone", "other", KEY)),
    ],
)
def test_anything_else_is_refused(authorization: str | None, subprotocols: tuple[str, ...]) -> None:
    headers = Headers({} if authorization is None else {"authorization": authorization})
    with pytest.raises(UndertoneError) as refusal:
        access().tenant(headers, subprotocols)
    assert refusal.value.code is ErrorCode.UNAUTHORISED
    assert KEY not in str(refusal.value)


def test_without_keys_everybody_is_the_default_tenant() -> None:
    assert access(keys=False).tenant(Headers({})) == "default"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "voice.example:8000"),
        ("https://voice.example", "voice.example"),
        ("https://voice.example", "voice.example:443"),
        ("http://VOICE.example:8000", "voice.example:8000"),
        ("https://allowed.example", "voice.example"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_known_pages_and_programs_pass(origin: str | None, host: str) -> None:
    headers = {"host": host} if origin is None else {"host": host, "origin": origin}
    access(origins=("https://allowed.example",)).check_origin(Headers(headers))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "voice.example"),
        ("null", "voice.example"),
        ("http://voice.example:8001", "voice.example:8000"),
        ("http://allowed.example", "voice.example"),
        ("https://allowed.example.evil.example", "voice.example"),
        ("https://evil.example:none", "voice.example"),
        ("file://", ""),
    ],
)
def test_other_pages_are_refused(origin: str, host: str) -> None:
    with pytest.raises(UndertoneError) as refusal:
        access(origins=("https://allowed.example",)).check_origin(Headers({"host": host, "origin": origin}))
    assert refusal.value.code is ErrorCode.FORBIDDEN_ORIGIN


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "allowed.example"])
def test_without_keys_the_host_is_this_machine(host: str) -> None:
    access(keys=False, origins=("https://allowed.example",)).check_origin(Headers({"host": host}))


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1.evil.example", "", "["])
def test_a_name_rebound_to_this_machine_is_refused(host: str) -> None:
    with pytest.raises(UndertoneError) as refusal:
        access(keys=False).check_origin(Headers({"host": host, "origin": f"http://{host}"}))
    assert refusal.value.code is ErrorCode.FORBIDDEN_ORIGIN

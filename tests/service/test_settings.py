"""Settings: what may start, what may not, and what is kept of a key."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from undertone_service.settings import Settings, is_loopback, key_digest

KEY = "a-key-of-sixteen-or-more"


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "voice.example.org"])
def test_other_addresses_demand_a_key(host: str) -> None:
    with pytest.raises(ValidationError, match="demands API keys"):
        Settings(host=host)
    assert Settings.model_validate({"host": host, "api_keys": {"default": KEY}}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "localhost", "::1", "[::1]"])
def test_loopback_needs_none(host: str) -> None:
    assert is_loopback(host)
    assert not Settings(host=host).api_keys


def test_keys_come_from_the_environment_and_only_their_digest_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UNDERTONE_API_KEYS", f'{{"acme": ["{KEY}", "{KEY}-2"], "default": "{KEY}-3"}}')
    settings = Settings()
    assert settings.api_keys["acme"] == (key_digest(KEY), key_digest(KEY + "-2"))
    assert settings.api_keys["default"] == (key_digest(KEY + "-3"),)
    assert KEY not in repr(settings) + str(settings.model_dump())


@pytest.mark.parametrize("keys", ["short", "sixteen letters, but spaces", [], 5, ["short"], [KEY, 7]])
def test_bad_keys_are_refused_without_being_shown(keys: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate({"api_keys": {"default": keys}})
    assert "short" not in str(refusal.value)


def test_a_key_names_one_tenant() -> None:
    with pytest.raises(ValidationError, match="given twice"):
        Settings.model_validate({"api_keys": {"one": KEY, "two": KEY}})


def test_origins_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTONE_ALLOWED_ORIGINS", "https://Page.example, http://localhost:3000")
    assert Settings().allowed_origins == ("https://page.example", "http://localhost:3000")


@pytest.mark.parametrize("origin", ["page.example", "https://page.example/", "ftp://page.example", "*", ""])
def test_a_bad_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="write an origin"):
        Settings(allowed_origins=(origin,))


def test_several_workers_are_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="would not see each other's sessions"):
        Settings(workers=2)


def test_the_database_lies_in_the_data_dir(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).database == f"sqlite+aiosqlite:///{tmp_path / 'undertone.db'}"
    with pytest.raises(ValidationError, match="sqlite"):
        Settings(database_url="postgresql://host/name")


def test_bundle_dirs_are_separated_as_in_path_and_win_over_the_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UNDERTONE_BUNDLE_DIRS", os.pathsep.join(("/one", "/two")))
    assert Settings().bundle_directories[-2:] == (Path("/one"), Path("/two"))

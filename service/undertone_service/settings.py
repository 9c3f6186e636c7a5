"""The settings of the service: one object, read once from the environment (``UNDERTONE_...``)."""

import hashlib
import ipaddress
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ORIGIN = re.compile(r"https?://[^/\s?#@]+")
# Only what is also a valid WebSocket subprotocol, by which browsers send their key.
KEY = re.compile(r"[A-Za-z0-9._~-]{16,200}")
DEFAULT_TENANT = "default"


def key_digest(key: str) -> str:
    """SHA-256 of an API key in hexadecimal: all that is ever kept of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether a host name or address reaches this machine only: ``is_loopback("127.0.0.1")``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _data_dir() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "undertone"


def _digests(keys: object) -> tuple[str, ...]:
    """Replace the keys of a tenant by their digests; the keys themselves are not kept."""
    if isinstance(keys, str):
        keys = [keys]
    if not isinstance(keys, list | tuple) or not keys:
        raise ValueError("give each tenant one key or a list of keys")
    for key in keys:
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise ValueError("a key is 16 to 200 letters, digits and - _ . ~")
    return tuple(key_digest(key) for key in keys)


def _split(separator: str) -> BeforeValidator:
    def split(value: object) -> object:
        return [part.strip() for part in value.split(separator)] if isinstance(value, str) else value

    return BeforeValidator(split)


class Settings(BaseSettings):
    """Everything an operator can set. Each field is also the variable ``UNDERTONE_<FIELD>``."""

    model_config = SettingsConfigDict(
        env_prefix="UNDERTONE_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="forbid"
    )

    host: str = Field(
        default="127.0.0.1", description="address to listen on; any but loopback demands API keys"
    )
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port; 0 takes any free one")
    workers: int = Field(default=1, ge=1, description="processes; several need shared state, see the refusal")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level logged"
    )

    data_dir: Path = Field(default_factory=_data_dir, description="folder of the database")
    database_url: str = Field(
        default="", description="SQLAlchemy URL; empty: undertone.db (SQLite) in data_dir"
    )
    bundle_dirs: Annotated[tuple[Path, ...], NoDecode, _split(os.pathsep)] = Field(
        default=(), description="folders of bundles besides the installed ones, separated as in PATH"
    )
    default_bundle: str | None = Field(
        default=None, description="name of the bundle where none is asked for; absent: the shipped one"
    )

    api_keys: dict[str, Annotated[tuple[str, ...], BeforeValidator(_digests)]] = Field(
        default_factory=dict,
        repr=False,
        description='JSON, tenant to key or keys: {"default": "..."}; only SHA-256 digests are kept',
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode, _split(",")] = Field(
        default=(),
        description="web pages of other hosts that may connect, as https://host[:port], comma separated",
    )

    max_message_bytes: int = Field(
        default=1 << 20, ge=1024, description="largest message on the socket, bytes"
    )
    max_upload_bytes: int = Field(
        default=50_000_000, ge=1024, description="largest body of a REST call, bytes"
    )
    max_upload_seconds: float = Field(default=3600.0, gt=0, description="longest uploaded recording, seconds")
    max_uploads: int = Field(
        default=4, ge=1, description="recordings worked on at once; further ones are told to retry"
    )
    idle_timeout: float = Field(default=30.0, gt=0, description="longest silence of a sender, seconds")
    max_session: float = Field(default=4 * 3600.0, gt=0, description="longest session, seconds")
    max_rate: float = Field(
        default=2.0, ge=1.0, description="fastest lasting pace of a stream, times real time"
    )
    rate_allowance: float = Field(
        default=30.0,
        ge=0,
        description="audio that a stream may be ahead of max_rate before it is closed, seconds",
    )
    max_streams: int = Field(default=100, ge=1, description="live streams (channels) at once")
    max_load: float = Field(
        default=0.85,
        gt=0,
        description="measured load, 1 being all that engine or event loop can do, above which new streams are refused",
    )
    max_step_delay: float = Field(
        default=0.06,
        gt=0,
        description="measured time of a step of 0.1 s from ready to done, above which new streams are refused, seconds",
    )
    send_timeout: float = Field(
        default=30.0, gt=0, description="time in which a client must take a message, seconds"
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        description="time that live sessions have to end after SIGTERM, before the server ends them, seconds",
    )
    max_unprocessed: float = Field(
        default=10.0,
        gt=0,
        description="audio waiting for the engine above which a socket is not read, seconds",
    )

    emotion_for_all: bool = Field(
        default=False,
        description="report emotion of agents, mixed channels and channels of several without a role too",
    )
    verification_prior: float = Field(
        default=0.5, gt=0, lt=1, description="assumed share of true claims among verifications, 0 to 1"
    )
    enrolment_speech: float = Field(
        default=5.0, ge=1.0, description="net speech wanted for a sound voiceprint, seconds"
    )

    @field_validator("api_keys")
    @classmethod
    def _keys_differ(cls, keys: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        digests = [digest for tenant in keys.values() for digest in tenant]
        if len(set(digests)) != len(digests):
            raise ValueError("a key is given twice; each key names one tenant")
        return keys

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError("write an origin as https://host or https://host:port, without a path")
        return tuple(origin.lower() for origin in origins)

    @field_validator("database_url")
    @classmethod
    def _is_sqlite(cls, url: str) -> str:
        if url and not url.startswith("sqlite+aiosqlite:///"):
            raise ValueError("voices are kept in SQLite: write sqlite+aiosqlite:///<path>")
        return url

    @model_validator(mode="after")
    def _may_start(self) -> Self:
        if not self.api_keys and not is_loopback(self.host):
            raise ValueError(
                f"listening on {self.host} lets other machines connect, which demands API keys; set "
                'UNDERTONE_API_KEYS to {"default": "<key>"}, or listen on 127.0.0.1'
            )
        if self.workers > 1:
            raise ValueError(
                f"{self.workers} workers would not see each other's sessions and voices, and this version "
                "cannot share them; run one worker"
            )
        return self

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database in use."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'undertone.db'}"

    @property
    def bundle_directories(self) -> tuple[Path, ...]:
        """Folders searched for bundles: the installed ones, then the operator's, whose names win."""
        zoo = find_spec("undertone_zoo")
        locations = (zoo.submodule_search_locations if zoo else None) or ()
        installed = (folder for folder in map(Path, locations) if folder.is_dir())
        return *installed, *self.bundle_dirs

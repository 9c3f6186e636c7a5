"""The REST calls, one method each, with the typed bodies of the protocol."""

from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from undertone_client.address import authorization, rest_url
from undertone_client.refusals import http_refusal
from undertone_client.stream import parse, unreachable
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role
from undertone_service.protocol.messages import AnyServerMessage
from undertone_service.protocol.rest import (
    Analysis,
    EnrolledSpeaker,
    Enrollment,
    Identification,
    ModelList,
    NewSpeaker,
    SessionInfo,
    SpeakerPage,
    Verification,
)

Body = TypeVar("Body", bound=BaseModel)
Recording = Path | str | bytes
"""A wav, flac, ogg or mp3 file, by its path or as its bytes."""


class Client:
    """A server's REST calls. Use it as a context manager, or call ``close``.

    Every method raises ``UndertoneError`` with the server's reason where it refuses, and
    ``ServerUnreachableError`` where nothing answers.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, timeout: float = 60.0) -> None:
        """Address and key as for ``connect``; ``timeout`` in seconds for each step of a call."""
        self._http = httpx.AsyncClient(
            base_url=rest_url(url), headers=authorization(api_key), timeout=timeout
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def create_speaker(self, name: str, consent_by: str, id: str | None = None) -> EnrolledSpeaker:  # noqa: A002
        """Create a speaker; ``consent_by`` tells who recorded the person's consent, and how."""
        try:
            new = NewSpeaker.model_validate(
                {"id": id, "name": name, "consent": {"given": True, "by": consent_by}}
            )
        except ValidationError as error:
            raise _bad_body(error) from None
        return await self._call(EnrolledSpeaker, "POST", "speakers", json=new.model_dump(exclude_none=True))

    async def speakers(self, after: str | None = None) -> SpeakerPage:
        """List speakers by id; pass a page's ``next`` as ``after`` for the next page."""
        return await self._call(SpeakerPage, "GET", "speakers", params={"after": after} if after else None)

    async def speaker(self, speaker: str) -> EnrolledSpeaker:
        """Return one speaker by id."""
        return await self._call(EnrolledSpeaker, "GET", f"speakers/{quote(speaker, safe='')}")

    async def delete_speaker(self, speaker: str) -> None:
        """Delete a speaker and all voiceprints for good."""
        await self._send("DELETE", f"speakers/{quote(speaker, safe='')}")

    async def enroll(
        self, speaker: str, recording: Recording, *, channel: int | None = None, bundle: str | None = None
    ) -> Enrollment:
        """Add a recording to a speaker's voiceprint; of a stereo one, ``channel`` says which side."""
        path = f"speakers/{quote(speaker, safe='')}/enrollments"
        return await self._upload(Enrollment, path, recording, channel=channel, bundle=bundle)

    async def verify(
        self, speaker: str, recording: Recording, *, channel: int | None = None, bundle: str | None = None
    ) -> Verification:
        """Tell whether a recording is the speaker."""
        path = f"speakers/{quote(speaker, safe='')}/verify"
        return await self._upload(Verification, path, recording, channel=channel, bundle=bundle)

    async def identify(
        self, recording: Recording, *, channel: int | None = None, bundle: str | None = None
    ) -> Identification:
        """Tell which enrolled voice a recording is, if any."""
        return await self._upload(Identification, "identify", recording, channel=channel, bundle=bundle)

    async def analyze(
        self, recording: Recording, *, roles: tuple[Role, ...] = (), bundle: str | None = None
    ) -> Analysis:
        """Return everything found in a recording; ``roles`` names each channel's."""
        asked = ",".join(roles) or None
        return await self._upload(Analysis, "analyze", recording, roles=asked, bundle=bundle)

    async def models(self) -> ModelList:
        """List the models that the server can run."""
        return await self._call(ModelList, "GET", "models")

    async def session(self, session: str) -> SessionInfo:
        """Return a running or lately ended session by id."""
        return await self._call(SessionInfo, "GET", f"sessions/{quote(session, safe='')}")

    async def events(self, session: str) -> AsyncGenerator[AnyServerMessage]:
        """Follow a session from the side: the last messages of its socket first, until it ends."""
        path = f"sessions/{quote(session, safe='')}/events"
        try:
            # A quiet session is silent for as long as nobody speaks: reading has no time limit.
            async with self._http.stream("GET", path, timeout=httpx.Timeout(60.0, read=None)) as response:
                if not response.is_success:
                    raise _refused(response, await response.aread())
                async for line in response.aiter_lines():
                    if (
                        line.startswith("data:")
                        and (message := parse(line.removeprefix("data:"))) is not None
                    ):
                        yield message
        except httpx.TransportError as error:
            raise unreachable(str(self._http.base_url), error) from error

    async def _upload(
        self, body: type[Body], path: str, recording: Recording, **asked: str | int | None
    ) -> Body:
        params = {name: value for name, value in asked.items() if value is not None}
        return await self._call(body, "POST", path, files=_file(recording), params=params)

    async def _call(self, body: type[Body], method: str, path: str, **parts: Any) -> Body:
        response = await self._send(method, path, **parts)
        try:
            return body.model_validate_json(response.content)
        except ValidationError:
            raise UndertoneError(
                ErrorCode.BAD_MESSAGE,
                f"The answer to {method} {path} is not one that this client can read.",
                "Check that the address is that of an Undertone server of this version.",
            ) from None

    async def _send(self, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **parts)
        except httpx.TransportError as error:
            raise unreachable(str(self._http.base_url), error) from error
        if not response.is_success:
            raise _refused(response, response.content)
        return response


def _refused(response: httpx.Response, content: bytes) -> UndertoneError:
    return http_refusal(response.status_code, content, response.headers.get("Retry-After"))


def _file(recording: Recording) -> dict[str, tuple[str, bytes]]:
    if isinstance(recording, bytes):
        return {"file": ("recording", recording)}
    path = Path(recording)
    try:
        return {"file": (path.name, path.read_bytes())}
    except OSError as error:
        raise UndertoneError(
            ErrorCode.BAD_AUDIO,
            f"{path} cannot be read ({error.strerror}).",
            "Name a wav, flac, ogg or mp3 file that exists.",
        ) from None


def _bad_body(error: ValidationError) -> UndertoneError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if name.startswith("consent"):
        return UndertoneError(
            ErrorCode.CONSENT_MISSING,
            f"{name}: {first['msg']}.",
            "Say who recorded the person's consent, and how.",
        )
    return UndertoneError(
        ErrorCode.BAD_REQUEST,
        f"{name}: {first['msg']}.",
        "A name has 1 to 200 characters; an id has 1 to 64 of A-Z, a-z, 0-9, _ . @ and -.",
    )

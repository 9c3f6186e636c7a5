import json
from pathlib import Path

import pytest

import undertone_client
from tests.client.http_peer import ANALYSED, ANN, ENROLLED, VERIFIED, Peer, uploaded
from tests.client.peer import RESULT, ended
from undertone_client import blocking
from undertone_service.protocol import rest
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role
from undertone_service.protocol.messages import Identity


async def test_speakers(http_peer: Peer) -> None:
    http_peer.answer("POST /v1/speakers", ANN, 201)
    http_peer.answer("GET /v1/speakers", rest.SpeakerPage(speakers=(ANN,), next="ann"))
    http_peer.answer("GET /v1/speakers?after=ann", rest.SpeakerPage(speakers=()))
    http_peer.answer("GET /v1/speakers/ann", ANN)
    http_peer.answers["DELETE /v1/speakers/a%2Fb"] = 204, b""
    async with undertone_client.Client(http_peer.url, "s3cret") as client:
        assert await client.create_speaker("Ann", "form", "ann") == ANN
        page = await client.speakers()
        assert page.speakers == (ANN,)
        assert (await client.speakers(page.next)).speakers == ()
        assert await client.speaker("ann") == ANN
        await client.delete_speaker("a/b")
    new = rest.NewSpeaker.model_validate_json(http_peer.asked[0][2])
    assert new.model_dump() == {"id": "ann", "name": "Ann", "consent": {"given": True, "by": "form"}}
    assert all(headers["Authorization"] == "Bearer s3cret" for _, headers, _ in http_peer.asked)


async def test_recordings(http_peer: Peer, tmp_path: Path) -> None:
    recording = tmp_path / "clip.wav"
    recording.write_bytes(b"RIFF\r\n\0\xff")
    found = rest.Identification(identity=Identity(best=None), speech=3.0, compared=2)
    http_peer.answer("POST /v1/speakers/ann/enrollments", ENROLLED, 201)
    http_peer.answer("POST /v1/speakers/ann/verify", VERIFIED)
    http_peer.answer("POST /v1/identify?channel=1", found)
    http_peer.answer("POST /v1/analyze?roles=agent&bundle=tiny", ANALYSED)
    async with undertone_client.Client(http_peer.url) as client:
        assert await client.enroll("ann", recording) == ENROLLED
        assert await client.verify("ann", str(recording)) == VERIFIED
        assert await client.identify(b"OggS", channel=1) == found
        assert await client.analyze(recording, roles=(Role.AGENT,), bundle="tiny") == ANALYSED
    names = [uploaded(headers, body) for _, headers, body in http_peer.asked]
    assert names[0] == names[1] == names[3] == ("clip.wav", b"RIFF\r\n\0\xff")
    assert names[2] == ("recording", b"OggS")


def test_models_and_sessions_without_asyncio(http_peer: Peer) -> None:
    model = rest.Model(
        name="tiny",
        digest="0",
        kind="streaming",
        default=True,
        licence="CC",
        notice="research",
        tasks=("age",),
        sample_rate=16000,
    )
    session = rest.SessionInfo(
        id="s1", state="live", started_at="now", duration=1.0, channels=1, bundle="tiny"
    )
    http_peer.answer("GET /v1/models", rest.ModelList(models=(model,)))
    http_peer.answer("GET /v1/sessions/s1", session)
    http_peer.answers["GET /v1/sessions/s1/events"] = 200, f"data: {RESULT.model_dump_json()}\n\n".encode()
    with blocking.Client(http_peer.url) as client:
        assert client.models().models == (model,)
        assert client.session("s1") == session
        assert list(client.events("s1")) == [RESULT]


async def test_a_session_is_followed_from_the_side(http_peer: Peer) -> None:
    told = f": still here\n\nid: 1\ndata: {RESULT.model_dump_json()}\n\ndata: {ended().model_dump_json()}\n\n"
    http_peer.answers["GET /v1/sessions/s1/events"] = 200, told.encode()
    async with undertone_client.Client(http_peer.url) as client:
        assert [message async for message in client.events("s1")] == [RESULT, ended()]
        with pytest.raises(UndertoneError, match="404"):
            await anext(client.events("s2"))


async def test_refusals(http_peer: Peer) -> None:
    problem = rest.Problem(code="not_enough_speech", problem="2 s.", remedy="Speak for 8 s more.")
    http_peer.answer("GET /v1/models", problem, 422)
    http_peer.answers["GET /v1/speakers"] = 200, json.dumps({"hello": "world"}).encode()
    async with undertone_client.Client(http_peer.url) as client:
        with pytest.raises(UndertoneError, match=r"2 s\. Speak for 8 s more\.") as refused:
            await client.models()
        assert refused.value.code is ErrorCode.NOT_ENOUGH_SPEECH
        with pytest.raises(UndertoneError, match="404"):
            await client.speaker("bob")
        with pytest.raises(UndertoneError, match="not one that this client can read") as refused:
            await client.speakers()
        assert refused.value.code is ErrorCode.BAD_MESSAGE


async def test_what_is_refused_before_it_is_sent(http_peer: Peer, tmp_path: Path) -> None:
    async with undertone_client.Client(http_peer.url) as client:
        with pytest.raises(UndertoneError) as refused:
            await client.create_speaker("Ann", "")
        assert refused.value.code is ErrorCode.CONSENT_MISSING
        with pytest.raises(UndertoneError) as refused:
            await client.create_speaker("Ann", "form", "no spaces please")
        assert refused.value.code is ErrorCode.BAD_REQUEST
        with pytest.raises(UndertoneError) as refused:
            await client.analyze(tmp_path / "none.wav")
        assert refused.value.code is ErrorCode.BAD_AUDIO
    assert http_peer.asked == []


async def test_nothing_answers() -> None:
    async with undertone_client.Client("http://127.0.0.1:1") as client:
        with pytest.raises(undertone_client.ServerUnreachableError, match="undertone serve"):
            await client.models()

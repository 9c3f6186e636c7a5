"""The native protocol on real sockets: what is right, what is wrong, and that neither disturbs anybody else."""

import asyncio
import io
import socket as sockets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.conftest import run_server
from tests.service.session_fixtures import assert_same, wire
from tests.service.sockets import Message, address, control, opened, receive, rest, until
from tests.voices import conversation, silence, voice
from undertone_service.protocol.messages import SERVER_MESSAGE
from undertone_service.protocol.options import Encoding
from undertone_service.settings import Settings

CONSENT = {"given": True, "by": "a test, on paper"}


@pytest.fixture(scope="module")
def strict_url(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with small limits."""
    yield from run_server(
        Settings(
            bundle_dirs=(bundle_folder,),
            default_bundle="tiny",
            data_dir=tmp_path_factory.mktemp("strict"),
            max_rate=1.0,
            rate_allowance=1.0,
            idle_timeout=1.2,
            max_session=3.5,
            max_streams=2,
            max_message_bytes=65536,
        )
    )


@pytest.fixture(scope="module")
def tight_url(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose sockets buffer little, so that a client that does not read is soon felt."""

    def tight(where: tuple[str, int]) -> sockets.socket:
        listener = sockets.socket()
        listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 16384)  # what it accepts inherits it
        listener.bind(where)
        listener.listen()
        return listener

    settings = Settings(
        bundle_dirs=(bundle_folder,),
        default_bundle="tiny",
        data_dir=tmp_path_factory.mktemp("tight"),
        max_rate=1000.0,
        send_timeout=5.0,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.conftest.socket.create_server", tight)
        server = run_server(settings)
        url = next(server)
    yield url
    next(server, None)


async def spoken(url: str, samples: np.ndarray, piece: int = 6400, **query: Any) -> list[Message]:
    """Send samples in pieces, close, and return all messages; the socket must close in order."""
    data = wire(samples, Encoding(query.get("encoding", "s16le")))
    async with opened(url, **query) as socket:
        for start in range(0, len(data), piece):
            await socket.send(data[start : start + piece])
        await control(socket, "close")
        messages, code = await rest(socket)
    assert code == 1000
    return messages


def plain(messages: list[Message]) -> list[Message]:
    varying = {"seq", "lag_ms", "id", "started_at"}
    return [{k: v for k, v in m.items() if k not in varying} for m in messages]


async def refused(url: str, *sent: bytes | str, **query: object) -> tuple[Message, int]:
    """Send what is wrong; return the error and the close code."""
    async with opened(url, **query) as socket:
        for message in sent:
            try:
                await socket.send(message)
            except ConnectionClosed:
                break
        messages, code = await rest(socket)
    assert messages[-1]["type"] == "error", messages
    assert messages[-1]["problem"].endswith(".")
    assert messages[-1]["remedy"].endswith(".")
    return messages[-1], code


async def test_a_session_from_greeting_to_summary(server_url: str) -> None:
    messages = await spoken(server_url, conversation(), previous="before")
    assert [m["seq"] for m in messages] == list(range(len(messages)))
    for message in messages:
        SERVER_MESSAGE.validate_python(message)
    kinds = [m["type"] for m in messages]
    assert kinds[0] == "session.started"
    assert kinds[-1] == "session.ended"
    assert [kinds.count(k) for k in ("speech.started", "speech.ended", "utterance", "result")] == [
        3,
        3,
        3,
        17,
    ]
    greeting, summary = messages[0], messages[-1]
    assert greeting["audio"] == {"sample_rate": 16000, "encoding": "s16le", "channels": 1}
    assert (greeting["previous"], greeting["policy"]["emotion"]) == ("before", [True])
    assert (summary["id"], summary["reason"]) == (greeting["id"], "closed by the client")
    assert all(0 <= m["lag_ms"] < 60_000 for m in messages if m["type"] == "result")


async def test_cutting_changes_nothing(server_url: str) -> None:
    samples = conversation()[: 16000 * 3]
    whole, frames, odd = [await spoken(server_url, samples, piece) for piece in (10**6, 640, 4001)]
    assert_same(plain(whole), plain(frames))
    assert_same(plain(whole), plain(odd))


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
async def test_the_telephone_band_with_two_roles(server_url: str, encoding: str) -> None:
    agent = np.concatenate([voice(1.2, rate=8000), silence(1.3, rate=8000)])
    customer = np.concatenate([silence(0.9, rate=8000), voice(1.6, pitch=220, rate=8000)])
    samples = np.stack([agent, customer[: len(agent)]], axis=1)
    messages = await spoken(
        server_url, samples, encoding=encoding, sample_rate=8000, channels=2, roles="agent,customer"
    )
    assert messages[0]["policy"]["emotion"] == [False, True]
    utterances = {m["channel"]: m for m in messages if m["type"] == "utterance"}
    assert (utterances[0]["role"], utterances[1]["role"]) == ("agent", "customer")
    assert utterances[0]["emotion"] is None
    assert utterances[0]["gender"]
    assert utterances[1]["emotion"]
    assert [c["talk_share"] > 0 for c in messages[-1]["channels"]] == [True, True]


async def test_messages_without_audio_and_pieces_of_samples(server_url: str) -> None:
    async with opened(server_url) as socket:
        for piece in (b"", b"\x00", b"", b"\x00\x00", b""):
            await socket.send(piece)
        await control(socket, "close")
        messages, code = await rest(socket)
    assert code == 1000
    assert [m["type"] for m in messages] == ["session.started", "warning", "session.ended"]
    assert messages[1]["code"] == "partial_sample"
    assert messages[-1]["warnings"] == {"partial_sample": 1}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
async def test_impossible_floats(server_url: str, value: float) -> None:
    bad = np.array([0.0, value], "<f4").tobytes()
    error, code = await refused(server_url, bad, encoding="f32le")
    assert (error["code"], code) == ("bad_audio", 4000)


@pytest.mark.parametrize(
    "text", ["", "hello", "{", "[1]", '{"type":"sing"}', '{"type":"session.ended"}', '{"typ":1}']
)
async def test_text_that_is_no_control_message(server_url: str, text: str) -> None:
    error, code = await refused(server_url, text)
    assert (error["code"], code) == ("bad_message", 4000)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"sample_rate": 7000}, ("unsupported_audio", 4015)),
        ({"sample_rate": "many"}, ("unsupported_audio", 4015)),
        ({"encoding": "opus"}, ("unsupported_audio", 4015)),
        ({"channels": 3}, ("unsupported_audio", 4015)),
        ({"window": 99}, ("bad_request", 4000)),
        ({"tasks": "mood"}, ("bad_request", 4000)),
        ({"verify": "nobody"}, ("unknown_speaker", 4004)),
        ({"bundle": "nonesuch"}, ("unknown_bundle", 4004)),
    ],
)
async def test_what_cannot_be_asked_for(
    server_url: str, query: dict[str, Any], expected: tuple[str, int]
) -> None:
    error, code = await refused(server_url, **query)
    assert (error["code"], code) == expected


async def test_configuring_a_claim_on_nobody(server_url: str) -> None:
    error, code = await refused(server_url, '{"type":"configure","verify":["nobody"]}')
    assert (error["code"], code) == ("unknown_speaker", 4004)


async def test_a_message_too_large(server_url: str, strict_url: str) -> None:
    for url, size in ((strict_url, 65537), (server_url, 100_000_000)):
        async with opened(url) as socket:
            assert (await receive(socket))["type"] == "session.started"
            with suppress(ConnectionClosed):
                await socket.send(bytes(size))
            _, code = await rest(socket)
        assert code == 1009
    assert (await spoken(server_url, voice(1.0)))[-1]["type"] == "session.ended"


async def test_audio_too_fast(strict_url: str) -> None:
    error, code = await refused(strict_url, *[bytes(32000)] * 6)
    assert (error["code"], code) == ("too_fast", 4029)
    assert "1 s ahead of 1 times" in error["problem"]


async def test_an_idle_session(strict_url: str) -> None:
    async with opened(strict_url) as socket:
        messages, code = await rest(socket)
    assert [m["type"] for m in messages] == ["session.started", "session.ended", "error"]
    assert (messages[1]["reason"], messages[2]["code"], code) == ("idle", "idle", 4008)


async def test_keepalive_holds_a_session_open(strict_url: str) -> None:
    async with opened(strict_url) as socket:
        for _ in range(5):
            await asyncio.sleep(0.4)
            await control(socket, "keepalive")
        await control(socket, "finalize")
        messages = await until(socket, "finalized")
    assert [m["type"] for m in messages] == ["session.started", "finalized"]


async def test_a_session_that_lasts_too_long(strict_url: str) -> None:
    async def talk() -> None:
        while True:
            await control(socket, "keepalive")
            await asyncio.sleep(0.2)

    async with opened(strict_url) as socket:
        talking = asyncio.create_task(talk())
        messages, code = await rest(socket)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
    assert (messages[-2]["reason"], messages[-1]["code"], code) == ("session limit", "session_limit", 4009)
    assert "previous" in messages[-1]["remedy"]


async def until_true(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask until something of another thread holds; fail after ten seconds."""
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 (no event of ours tells)
            await asyncio.sleep(0.05)


async def until_ended(url: str, session: str) -> None:
    """Wait until the server counts a session as ended."""
    async with httpx.AsyncClient() as client:

        async def ended() -> bool:
            return bool((await client.get(f"{url}/v1/sessions/{session}")).json()["state"] == "ended")

        await until_true(ended)


async def until_no_streams(url: str) -> None:
    """Wait until no stream is left of earlier tests."""
    async with httpx.AsyncClient() as client:

        async def free() -> bool:
            return "undertone_streams 0.0" in (await client.get(f"{url}/metrics")).text

        await until_true(free)


async def test_too_many_streams_are_turned_away_before_the_upgrade(strict_url: str) -> None:
    await until_no_streams(strict_url)
    async with opened(strict_url, channels=2) as socket:
        await receive(socket)
        with pytest.raises(InvalidStatus) as turned_away:
            async with opened(strict_url):
                pass
        response = turned_away.value.response
        assert response.status_code == 503
        assert 5 <= int(response.headers["Retry-After"]) <= 15
        assert b'"overloaded"' in response.body
        await control(socket, "close")
        await rest(socket)
    await until_no_streams(strict_url)
    async with opened(strict_url) as socket:
        assert (await receive(socket))["type"] == "session.started"
        error, code = await refused(strict_url, channels=2)
        assert (error["code"], code) == ("overloaded", 4013)
        assert 5 <= error["retry_after"] <= 15


async def test_many_at_once_do_not_pass_the_limit(strict_url: str) -> None:
    await until_no_streams(strict_url)

    async def outcome() -> str:
        try:
            async with opened(strict_url) as socket:
                first = await receive(socket)
                await asyncio.sleep(0.5)
                return str(first.get("code", first["type"]))
        except InvalidStatus as turned_away:
            return str(turned_away.response.status_code)

    outcomes = await asyncio.gather(*(outcome() for _ in range(10)))
    assert outcomes.count("session.started") == 2
    assert set(outcomes) <= {"session.started", "overloaded", "503"}


async def test_a_page_of_another_origin(server_url: str) -> None:
    async with connect(address(server_url), origin=Origin("https://elsewhere.example")) as socket:
        messages, code = await rest(socket)
    assert [m["type"] for m in messages] == ["error"]
    assert (messages[0]["code"], code) == ("forbidden_origin", 4001)
    async with connect(address(server_url), origin=Origin(server_url)) as socket:
        assert (await receive(socket))["type"] == "session.started"


async def test_control_messages_and_their_answers(server_url: str) -> None:
    async with opened(server_url, hop=1) as socket:
        await socket.send(wire(voice(1.45)))
        await control(socket, "configure", tasks=["gender"], identify=True, later="ignored")
        await control(socket, "keepalive")
        await control(socket, "finalize")
        messages = await until(socket, "finalized")
        await control(socket, "close")
        ending, code = await rest(socket)
    configured = next(m for m in messages if m["type"] == "configured")
    assert (configured["tasks"], configured["identify"], configured["verify"]) == (["gender"], True, [])
    assert [m["type"] for m in messages[-3:]] == ["speech.ended", "utterance", "finalized"]
    assert (messages[-2]["emotion"], messages[-1]["time"]) == (None, 1.4)
    assert messages[-2]["gender"]
    assert ([m["type"] for m in ending], code) == (["session.ended"], 1000)


async def test_what_follows_a_close_is_not_heard(server_url: str) -> None:
    async with opened(server_url) as socket:
        await control(socket, "close")
        try:
            for _ in range(5):
                await socket.send(wire(voice(0.5)))
        except ConnectionClosed:
            pass
        messages, code = await rest(socket)
    assert ([m["type"] for m in messages], code) == (["session.started", "session.ended"], 1000)


async def test_a_minute_of_digital_silence(server_url: str) -> None:
    messages = await spoken(server_url, np.zeros(60 * 8000, np.float32), piece=160000, sample_rate=8000)
    assert {m["type"] for m in messages} == {"session.started", "result", "session.ended"}
    results = [m for m in messages if m["type"] == "result"]
    assert len(results) == 120
    assert all(
        m[task] is None for m in results for task in ("emotion", "gender", "age", "speaker", "identity")
    )


def unread_socket(url: str) -> sockets.socket:
    """Return a connection whose buffer for what is not read is small."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", int(url.rpartition(":")[2])))
    raw.setblocking(False)
    return raw


def unread(url: str, **more: Any) -> connect:
    """Open a session of two silent telephone channels over such a connection."""
    where = address(url, encoding="mulaw", sample_rate=8000, channels=2, hop=0.1, window=0.5)
    return connect(where, sock=unread_socket(url), compression=None, max_queue=1, **more)


QUIET = wire(np.zeros((8000 * 20, 2), np.float32), Encoding.MULAW)


async def test_a_client_that_does_not_read_gets_fewer_results_and_disturbs_nobody(tight_url: str) -> None:
    alone = await spoken(tight_url, conversation())
    async with unread(tight_url) as socket:
        for _ in range(6):
            await socket.send(QUIET)
        async with asyncio.timeout(30):
            beside = await spoken(tight_url, conversation())
        await control(socket, "close")
        messages, code = await rest(socket)
    assert code == 1000
    assert_same(plain(alone), plain(beside))
    assert [m["seq"] for m in messages] == list(range(len(messages)))
    thinned = [m for m in messages if m["type"] == "warning"]
    assert {m["code"] for m in thinned} == {"thinned"}
    results = [m for m in messages if m["type"] == "result"]
    assert len(results) + sum(m["count"] for m in thinned) == 2 * 10 * 120
    assert messages[-1]["type"] == "session.ended"


async def test_a_client_that_never_reads_is_let_go(tight_url: str) -> None:
    async with unread(tight_url, close_timeout=0.5) as socket:
        started = await receive(socket)
        for _ in range(6):
            await socket.send(QUIET)
        await until_ended(tight_url, started["id"])
        messages, code = await rest(socket)
    assert code in (1006, 4008)
    assert "session.ended" not in {m["type"] for m in messages}


async def test_a_long_message_is_not_thinned_for_one_who_reads(server_url: str) -> None:
    messages = await spoken(
        server_url, np.zeros(8000 * 100, np.float32), piece=10**6, encoding="mulaw", sample_rate=8000, hop=0.1
    )
    assert sum(m["type"] == "result" for m in messages) == 1000


async def test_an_abrupt_end_disturbs_nobody_and_is_noted(server_url: str) -> None:
    alone = await spoken(server_url, conversation())
    async with opened(server_url) as leaving:
        started = await receive(leaving)
        beside = asyncio.create_task(spoken(server_url, conversation(), 640))
        await leaving.send(wire(voice(1.0)))
        leaving.transport.abort()
        await until_ended(server_url, started["id"])
        async with httpx.AsyncClient() as client:
            events = (await client.get(f"{server_url}/v1/sessions/{started['id']}/events")).text
        assert '"reason":"connection lost"' in events
        assert_same(plain(alone), plain(await beside))


async def test_events_follow_a_session_from_the_side(server_url: str) -> None:
    async with opened(server_url) as socket, httpx.AsyncClient() as client:
        started = await receive(socket)
        async with client.stream("GET", f"{server_url}/v1/sessions/{started['id']}/events") as events:
            await socket.send(wire(voice(1.0)))
            await control(socket, "close")
            messages, _ = await rest(socket)
            lines = [line async for line in events.aiter_lines() if line.startswith("data: ")]
        info = (await client.get(f"{server_url}/v1/sessions/{started['id']}")).json()
    sent = [SERVER_MESSAGE.validate_python(m) for m in [started, *messages]]
    assert [SERVER_MESSAGE.validate_json(line.removeprefix("data: ")) for line in lines] == sent
    assert (info["state"], info["channels"], info["bundle"]) == ("ended", 1, "tiny")


def recording(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV")
    return file.getvalue()


async def test_verification_of_an_enrolled_voice_until_it_is_deleted(server_url: str) -> None:
    ann = np.concatenate([voice(3.0, pitch=115, seed=3), silence(1.2)])
    async with httpx.AsyncClient(base_url=server_url, timeout=30) as client:
        body = {"id": "ann-live", "name": "Ann", "consent": CONSENT}
        assert (await client.post("/v1/speakers", json=body)).status_code == 201
        stored = await client.post("/v1/speakers/ann-live/enrollments", content=recording(ann))
        assert stored.status_code == 201, stored.text
        async with opened(server_url, verify="ann-live") as socket:
            await socket.send(wire(ann))
            messages = await until(socket, "utterance")
            speaker = messages[-1]["speaker"]
            assert (speaker["id"], speaker["decision"]) == ("ann-live", "accepted")
            assert speaker["score"] > 0.95
            assert (await client.delete("/v1/speakers/ann-live")).status_code == 204
            warning = (await until(socket, "warning"))[-1]
            assert (warning["code"], warning["channel"]) == ("speaker_withdrawn", 0)
            await socket.send(wire(ann))
            await control(socket, "close")
            later, code = await rest(socket)
    assert code == 1000
    assert all(m["speaker"] is None for m in later if m["type"] in ("result", "utterance"))
    assert later[-1]["warnings"]["speaker_withdrawn"] == 1
    error, code = await refused(server_url, verify="ann-live")
    assert (error["code"], code) == ("unknown_speaker", 4004)

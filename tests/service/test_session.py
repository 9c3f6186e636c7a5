"""A session of the native protocol, without its socket."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.session_fixtures import (
    KnownVoices,
    assert_same,
    contents,
    cut,
    heard,
    started,
    wire,
)
from tests.voices import conversation, silence, voice
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.engine import DirectRunner
from undertone_service.offline import encode_recording
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.messages import (
    Configured,
    Finalized,
    Notice,
    Result,
    SessionEnded,
    SessionStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceResult,
)
from undertone_service.protocol.options import Encoding
from undertone_service.store.voices import Voiceprint


def short(rate: int) -> np.ndarray:
    parts = [silence(0.33, rate=rate), voice(1.1, pitch=130, rate=rate), silence(0.85, rate=rate)]
    return np.concatenate([*parts, voice(0.7, pitch=220, seed=4, rate=rate)])


async def both_ways(
    bundle: StreamingBundle, encoding: Encoding, rate: int, channels: int, sizes: list[int]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    mono = short(rate)
    samples = mono if channels == 1 else np.stack([mono, np.roll(mono, rate // 2)], axis=1)
    data = wire(samples, encoding)
    query = {
        "sample_rate": str(rate), "encoding": encoding.value, "channels": str(channels),
        "window": "1", "hop": "0.3",
    }  # fmt: skip
    if channels == 2:
        query["roles"] = "customer,agent"
    whole, _ = await started(bundle, query)
    pieces, _ = await started(bundle, query)
    return contents(await heard(whole, [data])), contents(await heard(pieces, cut(data, sizes)))


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from(list(Encoding)),
    st.sampled_from([8000, 16000, 44100]),
    st.sampled_from([1, 2]),
    st.lists(st.integers(1, 30000), min_size=1, max_size=6),
)
def test_cutting_changes_nothing(
    bundle: StreamingBundle, encoding: Encoding, rate: int, channels: int, sizes: list[int]
) -> None:
    whole, pieces = asyncio.run(both_ways(bundle, encoding, rate, channels, sizes))
    assert sum(message["type"] == "utterance" for message in whole) == 2 * channels
    assert_same(whole, pieces)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("encoding", Encoding)
async def test_frames_of_20_ms_and_of_3_s(bundle: StreamingBundle, encoding: Encoding, channels: int) -> None:
    second = 8000 * channels * encoding.bytes_per_sample
    assert_same(*await both_ways(bundle, encoding, 8000, channels, [second // 50]))
    assert_same(*await both_ways(bundle, encoding, 8000, channels, [3 * second]))


async def test_single_bytes(bundle: StreamingBundle) -> None:
    data = wire(short(8000)[:14000])
    query = {"sample_rate": "8000", "window": "0.5", "hop": "0.5"}
    whole, _ = await started(bundle, query)
    pieces, _ = await started(bundle, query)
    one, other = await heard(whole, [data]), await heard(pieces, cut(data, [1]))
    assert any(isinstance(m, UtteranceResult) for m in one)
    assert_same(contents(one), contents(other))


async def test_a_conversation(bundle: StreamingBundle) -> None:
    session, greeting = await started(bundle, {"previous": "before"})
    assert [type(m) for m in greeting] == [SessionStarted]
    start = greeting[0]
    assert isinstance(start, SessionStarted)
    assert (start.window, start.hop, start.previous, start.bundle.digest) == (
        3.0, 0.5, "before", bundle.manifest.digest,
    )  # fmt: skip
    messages = await heard(session, cut(wire(conversation()), [640]))
    begun = [m.time for m in messages if isinstance(m, SpeechStarted)]
    ended = [m for m in messages if isinstance(m, SpeechEnded)]
    np.testing.assert_allclose(begun, [0.5, 3.8, 6.7], atol=0.3)
    np.testing.assert_allclose([m.time for m in ended], [2.9, 5.9, 7.9], atol=0.4)
    assert all(2.4 <= m.speech <= 3.0 for m in ended[:1])
    results = [m for m in messages if isinstance(m, Result)]
    np.testing.assert_allclose([r.end for r in results], np.arange(1, 18) * 0.5, atol=1e-9)
    assert [r.start for r in results[:7]] == [0, 0, 0, 0, 0, 0, 0.5]
    assert results[0].emotion is None
    assert all(r.emotion and r.gender and r.age for r in results[5:])
    utterances = [m for m in messages if isinstance(m, UtteranceResult)]
    assert [(u.start, u.end, u.speech) for u in utterances] == [
        (b, e.time, e.speech) for b, e in zip(begun, ended, strict=True)
    ]
    summary = messages[-1]
    assert isinstance(summary, SessionEnded)
    assert summary.duration == 8.6  # the last step is filled up
    channel = summary.channels[0]
    assert channel.talk_share == 1.0
    assert channel.speech == pytest.approx(sum(m.speech for m in ended), abs=0.01)
    assert len(channel.emotion_thirds) == 3
    assert all(channel.emotion_thirds)


async def test_the_summary_is_that_of_the_offline_path(bundle: StreamingBundle) -> None:
    samples = np.rint(conversation() * 32768).astype(np.float32) / np.float32(32768)
    session, _ = await started(bundle, {})
    ended = (await heard(session, cut(wire(samples), [3200])))[-1]
    assert isinstance(ended, SessionEnded)
    total, _ = await encode_recording(bundle, DirectRunner(), samples, 16000)
    assert ended.channels[0].speech == pytest.approx(total.speech, abs=0.011)
    found = bundle.answer(total.statistics[None])[0]
    scores = ended.channels[0].emotion
    assert scores is not None
    np.testing.assert_allclose(list(scores.scores.values()), found.emotion, atol=1e-4)


async def test_a_minute_of_digital_silence_says_nothing(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {"hop": "1"})
    messages = await heard(session, [bytes(32000)] * 60)
    assert {type(m) for m in messages} == {Result, SessionEnded}
    for result in messages[:-1]:
        assert isinstance(result, Result)
        assert (result.emotion, result.gender, result.age, result.speaker) == (None,) * 4
        assert (result.speech, result.snr_db, result.level_db, result.gate_open) == (0, None, -120, False)
    summary = messages[-1]
    assert isinstance(summary, SessionEnded)
    assert summary.channels[0].emotion_thirds == (None, None, None)
    assert summary.channels[0].talk_share == 0


async def test_a_session_without_any_audio_ends_in_order(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {"channels": "2"})
    messages = await heard(session, [b""])
    assert [type(m) for m in messages] == [SessionEnded]


async def test_two_channels_share_the_talk_and_follow_their_roles(bundle: StreamingBundle) -> None:
    session, greeting = await started(bundle, {"channels": "2", "roles": "agent,customer"})
    assert isinstance(greeting[0], SessionStarted)
    assert greeting[0].policy.emotion == (False, True)
    left = np.concatenate([voice(1.0), silence(2.0)])
    right = np.concatenate([silence(0.5), voice(2.0, pitch=210), silence(0.5)])
    messages = await heard(session, cut(wire(np.stack([left, right], axis=1)), [1000]))
    agent = [m for m in messages if isinstance(m, Result | UtteranceResult) and m.channel == 0]
    customer = [m for m in messages if isinstance(m, Result | UtteranceResult) and m.channel == 1]
    assert all(m.emotion is None and m.role == "agent" for m in agent)
    assert any(m.gender for m in agent)
    assert any(m.emotion for m in customer)
    summary = messages[-1]
    assert isinstance(summary, SessionEnded)
    one, other = summary.channels
    assert one.talk_share + other.talk_share == pytest.approx(1, abs=1e-3)
    assert other.talk_share > one.talk_share > 0
    assert (one.emotion, one.emotion_thirds) == (None, ())
    times = [(m.end, m.channel) for m in messages if isinstance(m, Result)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("query", "for_all", "policy"),
    [
        ({}, False, (True,)),
        ({"roles": "customer"}, False, (True,)),
        ({"roles": "agent"}, False, (False,)),
        ({"roles": "mixed"}, False, (False,)),
        ({"channels": "2"}, False, (False, False)),
        ({"channels": "2"}, True, (True, True)),
        ({"roles": "agent"}, True, (True,)),
        ({"roles": "agent", "tasks": "gender"}, True, (False,)),
    ],
)
async def test_policy(
    bundle: StreamingBundle, query: dict[str, str], for_all: bool, policy: tuple[bool]
) -> None:
    _, greeting = await started(bundle, query, emotion_for_all=for_all)
    assert isinstance(greeting[0], SessionStarted)
    assert greeting[0].policy.emotion == policy


async def test_configure_changes_tasks_while_the_stream_runs(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {})
    first = await session.receive_audio(wire(voice(2.0)))
    answer = await session.receive_text('{"type": "configure", "tasks": ["gender"], "colour": 1}')
    assert [m.model_dump(exclude={"seq"}) for m in answer] == [
        {"type": "configured", "tasks": ("gender",), "verify": (), "identify": False}
    ]
    later = await session.receive_audio(wire(voice(1.0)))
    assert any(isinstance(m, Result) and m.emotion for m in first)
    results = [m for m in later if isinstance(m, Result)]
    assert results
    assert all(m.emotion is None and m.age is None and m.gender for m in results)


async def test_configure_does_not_lift_the_policy(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {"roles": "agent", "tasks": "gender"})
    await session.receive_text('{"type": "configure", "tasks": ["emotion", "gender"]}')
    messages = await heard(session, [wire(voice(2.0))])
    assert all(m.emotion is None for m in messages if isinstance(m, Result | UtteranceResult))


async def test_finalize_ends_the_utterance_now_and_the_next_begins_anew(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {"hop": "3"})
    before = await session.receive_audio(wire(voice(1.55)))
    answer = await session.receive_text('{"type": "finalize"}')
    assert [type(m) for m in before] == [SpeechStarted]
    assert [type(m) for m in answer] == [SpeechEnded, UtteranceResult, Finalized]
    assert isinstance(answer[-1], Finalized)
    assert answer[-1].time == 1.5
    again = await session.receive_text('{"type": "finalize"}')
    assert [type(m) for m in again] == [Finalized]
    later = await session.receive_audio(wire(voice(0.5)))
    assert [m.time for m in later if isinstance(m, SpeechStarted)] == [1.5]


async def test_keepalive_is_not_answered(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {})
    assert await session.receive_text('{"type": "keepalive"}') == []


async def test_close_sums_up_and_nothing_is_taken_after_it(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {})
    await session.receive_audio(wire(voice(1.0)))
    messages = await session.receive_text('{"type": "close"}')
    assert [type(m) for m in messages] == [SpeechEnded, UtteranceResult, SessionEnded]
    for step in (
        session.receive_audio(b""),
        session.receive_text('{"type": "keepalive"}'),
        session.receive_text('{"type": "close"}'),
        session.end("again"),
    ):
        with pytest.raises(UndertoneError) as refused:
            await step
        assert refused.value.code is ErrorCode.BAD_ORDER


async def test_nothing_is_taken_before_the_start(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {})
    session._started = False
    for step in (
        session.receive_audio(b""),
        session.receive_text('{"type": "finalize"}'),
        session.end("too early"),
    ):
        with pytest.raises(UndertoneError) as refused:
            await step
        assert refused.value.code is ErrorCode.BAD_ORDER
        assert "session.started" in refused.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "{", "[]", "null", "42", "{}", '{"type": 7}', '{"type": "sing"}', '{"type": "session.ended"}',
        '{"type": "configure", "tasks": ["mood"]}', '{"type": "configure", "identify": "perhaps"}',
        '{"type": "configure", "verify": "ann"}', '{"type": "Close"}', "[" * 5000,
    ],
)  # fmt: skip
async def test_what_is_no_control_message_is_refused(bundle: StreamingBundle, text: str) -> None:
    session, _ = await started(bundle, {})
    with pytest.raises(UndertoneError) as refused:
        await session.receive_text(text)
    assert refused.value.code is ErrorCode.BAD_MESSAGE
    assert refused.value.close_code == 4000
    assert "keepalive" in refused.value.remedy


async def test_a_refused_configure_leaves_the_session_as_it_was(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {})
    for verify, code in ((["nobody"], ErrorCode.UNKNOWN_SPEAKER), (["1:ann"], ErrorCode.BAD_REQUEST)):
        text = json.dumps({"type": "configure", "tasks": ["gender"], "verify": verify})
        with pytest.raises(UndertoneError) as refused:
            await session.receive_text(text)
        assert refused.value.code is code
    messages = await session.receive_audio(wire(voice(2.0)))
    assert any(isinstance(m, Result) and m.emotion for m in messages)


async def test_bytes_left_over_earn_a_warning(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {"channels": "2"})
    messages = await heard(session, [b"\x00" * 7])
    warning, summary = messages
    assert isinstance(warning, Notice)
    assert isinstance(summary, SessionEnded)
    assert warning.code == "partial_sample"
    assert warning.problem.startswith("3 byte(s)")
    assert summary.warnings == {"partial_sample": 1}


async def test_impossible_floats_are_refused(bundle: StreamingBundle) -> None:
    session, _ = await started(bundle, {"encoding": "f32le"})
    with pytest.raises(UndertoneError) as refused:
        await session.receive_audio(wire(np.array([0, np.nan], np.float32), Encoding.F32LE))
    assert refused.value.code is ErrorCode.BAD_AUDIO


async def voiceprint(bundle: StreamingBundle, samples: np.ndarray, bandwidth_hz: int = 8000) -> Voiceprint:
    total, _ = await encode_recording(bundle, DirectRunner(), samples, 16000)
    return Voiceprint(bundle.answer(total.statistics[None])[0].voiceprint, total.speech, bandwidth_hz)


async def test_a_claimed_voice_is_scored_at_every_hop(bundle: StreamingBundle) -> None:
    ann = voice(4.0, pitch=115, seed=3)
    voices = KnownVoices({"ann": await voiceprint(bundle, ann)})
    session, _ = await started(bundle, {"verify": "ann"}, voices=voices)
    messages = await heard(session, cut(wire(ann), [3200]))
    looks = [m.speaker for m in messages if isinstance(m, Result) and m.speaker]
    assert [look.id for look in looks] == ["ann"] * len(looks)
    assert len(looks) >= 6
    speech = [look.speech for look in looks]
    assert speech == sorted(speech)
    assert looks[-1].score > 0.99  # the same audio
    assert looks[-1].decision == "accepted"
    summary = messages[-1]
    assert isinstance(summary, SessionEnded)
    assert summary.channels[0].speaker is not None
    assert summary.channels[0].speaker.decision == "accepted"


async def test_the_voice_of_the_channel_that_was_claimed(bundle: StreamingBundle) -> None:
    ann = voice(2.0, pitch=115, seed=3)
    voices = KnownVoices({"ann": await voiceprint(bundle, ann)})
    query = {"channels": "2", "roles": "agent,customer", "verify": "customer:ann"}
    session, _ = await started(bundle, query, voices=voices)
    messages = await heard(session, [wire(np.stack([ann, ann], axis=1))])
    found = {m.channel for m in messages if isinstance(m, Result) and m.speaker}
    assert found == {1}


async def test_identification(bundle: StreamingBundle) -> None:
    ann, bob = voice(3.0, pitch=115, seed=3), voice(3.0, pitch=240, seed=9)
    voices = KnownVoices({"ann": await voiceprint(bundle, ann), "bob": await voiceprint(bundle, bob)})
    session, _ = await started(bundle, {"identify": "1"}, voices=voices)
    messages = await heard(session, [wire(bob)])
    summary = messages[-1]
    assert isinstance(summary, SessionEnded)
    identity = summary.channels[0].identity
    assert identity is not None
    assert identity.candidates[0].id == "bob"
    assert {m.id for m in identity.candidates} == {"ann", "bob"}


async def test_a_withdrawn_voice_is_dropped_at_once(bundle: StreamingBundle) -> None:
    ann = voice(2.0, pitch=115, seed=3)
    voices = KnownVoices({"ann": await voiceprint(bundle, ann)})
    session, _ = await started(bundle, {"verify": "ann"}, voices=voices)
    before = await session.receive_audio(wire(ann))
    assert any(isinstance(m, Result) and m.speaker for m in before)
    assert session.drop_voice("bob") == []
    assert [(m.code, m.channel) for m in session.drop_voice("ann") if isinstance(m, Notice)] == [
        ("speaker_withdrawn", 0)
    ]
    after = await heard(session, [wire(ann)])
    assert not any(m.speaker for m in after if isinstance(m, Result | UtteranceResult))
    assert isinstance(after[-1], SessionEnded)
    assert after[-1].warnings == {"speaker_withdrawn": 1}


async def test_claims_are_replaced_and_dropped_by_configure(bundle: StreamingBundle) -> None:
    one = await voiceprint(bundle, voice(2.0))
    session, _ = await started(bundle, {}, voices=KnownVoices({"ann": one, "bob": one}))
    for verify, found in ((["ann"], {"ann"}), (["bob"], {"bob"}), ([], set())):
        answer = await session.receive_text(json.dumps({"type": "configure", "verify": verify}))
        assert isinstance(answer[0], Configured)
        assert answer[0].verify == tuple(verify)
        messages = await session.receive_audio(wire(voice(1.0)))
        assert {m.speaker.id for m in messages if isinstance(m, Result) and m.speaker} == found


async def test_a_voice_of_another_kind_of_line_earns_a_warning(bundle: StreamingBundle) -> None:
    narrow = await voiceprint(bundle, voice(2.0), bandwidth_hz=4000)
    voices = KnownVoices({"ann": narrow})
    for rate, warned in (("16000", ["bandwidth_differs"]), ("8000", [])):
        _, greeting = await started(bundle, {"verify": "ann", "sample_rate": rate}, voices=voices)
        assert [m.code for m in greeting if isinstance(m, Notice)] == warned

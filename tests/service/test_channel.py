"""One channel: confirmation of utterances, changes of voice, what the encoder refuses, sums of nothing."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.voices import conversation, silence, voice
from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.analysis.verification import Verifier
from undertone_service.bundle.bundle import Outputs
from undertone_service.bundle.manifest import MinimumSnr
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.dsp.speech import ActiveStep
from undertone_service.engine import DirectRunner, Lane
from undertone_service.protocol.labels import Decision, Role, Task
from undertone_service.protocol.messages import (
    Notice,
    Result,
    ServerMessageBase,
    SpeakerChanged,
    SpeechStarted,
    UtteranceResult,
)


class ScriptedRunner(DirectRunner):
    """The real encoder; of the heads only the voiceprint is chosen, by the share of the later voice in the sums.

    Steps from ``switch`` on are marked in the speech count's place of the voiceprint pool, so that sums tell voices.
    """

    def __init__(self, switch: int = 10**9, refuse: range = range(0)) -> None:
        self._switch, self._refuse = switch, refuse
        self.sums: list[NDArray[np.float64]] = []

    async def encode(self, lane: Lane, step: ActiveStep) -> NDArray[np.float32]:
        statistics = (await super().encode(lane, step)).copy()
        if step.index in self._refuse:
            statistics[-1] = 0.0
        statistics[-3] = step.mask.sum() * (step.index >= self._switch)
        return statistics

    async def answer(self, bundle: StreamingBundle, sums: NDArray[np.float64]) -> list[Outputs]:
        self.sums += list(sums)
        found = []
        for row, outputs in zip(sums, await super().answer(bundle, sums), strict=True):
            later = min(1.0, row[-3] / max(row[-1], 1e-9))
            angle = later * np.pi / 2
            vector = np.zeros(bundle.manifest.voiceprint_size, np.float32)
            vector[:2] = np.cos(angle), np.sin(angle)
            found.append(Outputs(outputs.emotion, outputs.gender, outputs.age, vector))
        return found


def channel(bundle: StreamingBundle, runner: DirectRunner, **changes: Any) -> Channel:
    settings: dict[str, Any] = {
        "index": 0, "role": Role.UNKNOWN, "sample_rate": 16000, "window": 30, "hop": 5, "tasks": frozenset(Task),
    }  # fmt: skip
    return Channel(ChannelSettings(**settings | changes), bundle, runner)


async def hear(heard: Channel, samples: NDArray[np.float32]) -> list[ServerMessageBase]:
    return [message for _, message in [*await heard.push(samples), *await heard.end()]]


async def test_messages_are_due_at_the_step_that_brought_them(bundle: StreamingBundle) -> None:
    heard = channel(bundle, DirectRunner())
    steps = [step for step, _ in [*await heard.push(conversation()), *await heard.end()]]
    assert steps == sorted(steps)
    assert heard.time == pytest.approx(8.6)


async def test_what_the_encoder_does_not_call_speech_is_no_utterance(bundle: StreamingBundle) -> None:
    heard = channel(bundle, ScriptedRunner(refuse=range(1000)))
    messages = await hear(heard, conversation())
    assert {type(message) for message in messages} == {Result}
    assert all(m.speech == 0 and m.emotion is None for m in messages if isinstance(m, Result))
    summary = await heard.summary(0.0)
    assert (summary.speech, summary.talk_share, summary.emotion) == (0, 0, None)
    assert summary.emotion_thirds == (None, None, None)


async def test_a_step_or_two_of_speech_make_an_utterance_only_together(bundle: StreamingBundle) -> None:
    sounds = np.concatenate([silence(1.0), voice(1.0), silence(1.5)])
    confirmed = channel(bundle, ScriptedRunner(refuse=range(14, 1000)))
    messages = await hear(confirmed, sounds)
    assert sum(isinstance(m, SpeechStarted) for m in messages) == 1
    assert sum(isinstance(m, UtteranceResult) for m in messages) == 1
    started = next(m for m in messages if isinstance(m, SpeechStarted))
    assert started.time == pytest.approx(0.9, abs=0.11)  # with its pre-roll
    click = channel(bundle, ScriptedRunner(refuse=range(10, 1000)))
    assert not any(isinstance(m, SpeechStarted | UtteranceResult) for m in await hear(click, sounds))


async def test_sums_of_nothing_never_reach_the_heads(bundle: StreamingBundle) -> None:
    pools = list(bundle.manifest.pools.values())
    places = [sum(1 + 2 * size for size in pools[:i]) for i in range(len(pools))]
    for samples in (silence(6.0), np.concatenate([silence(9.0), voice(1.0)]), conversation()):
        runner = ScriptedRunner()
        heard = channel(bundle, runner)
        await hear(heard, samples)
        await heard.summary(heard.speech)
        assert all(row[place] > 0 for row in runner.sums for place in places)


async def test_speech_in_the_last_third_only(bundle: StreamingBundle) -> None:
    heard = channel(bundle, DirectRunner())
    await hear(heard, np.concatenate([silence(9.0), voice(2.0)]))
    first, second, third = (await heard.summary(heard.speech)).emotion_thirds
    assert (first, second) == (None, None)
    assert third is not None


async def test_another_voice_on_the_channel_is_told_once_and_verification_begins_anew(
    bundle: StreamingBundle,
) -> None:
    heard = channel(bundle, ScriptedRunner(switch=120))
    claimed = np.zeros(bundle.manifest.voiceprint_size, np.float32)
    claimed[0] = 1.0
    heard.voice.verifier = Verifier("ann", claimed, bundle.manifest, 0.5)
    messages = await hear(heard, voice(20.0))
    changes = [m for m in messages if isinstance(m, SpeakerChanged)]
    assert len(changes) == 1
    assert 14.0 <= changes[0].time <= 16.5
    assert changes[0].score < 0.5
    before = [m.speaker for m in messages if isinstance(m, Result) and m.end <= 12.0 and m.speaker]
    assert before[-1].decision is Decision.ACCEPTED
    last = [m.speaker for m in messages if isinstance(m, Result) and m.speaker][-1]
    assert last.decision is Decision.REJECTED
    assert last.speech < 10  # of the new voice alone
    assert (await heard.summary(heard.speech)).speaker_changes == 1


async def test_one_voice_never_changes(bundle: StreamingBundle) -> None:
    heard = channel(bundle, ScriptedRunner())
    assert not any(isinstance(m, SpeakerChanged) for m in await hear(heard, voice(12.0)))


async def test_the_window_forgets_and_the_session_does_not(bundle: StreamingBundle) -> None:
    heard = channel(bundle, DirectRunner(), window=10, hop=10)
    results = [
        m for m in await hear(heard, np.concatenate([voice(3.0), silence(4.0)])) if isinstance(m, Result)
    ]
    assert results[1].speech == pytest.approx(1.0)
    assert [r.speech for r in results[-2:]] == [0, 0]
    assert results[-1].emotion is None
    assert heard.speech == pytest.approx(3.0, abs=0.4)


async def test_memory_does_not_grow_without_results(bundle: StreamingBundle) -> None:
    heard = channel(bundle, DirectRunner(), hop=10**9)
    await heard.push(voice(8.0))
    assert len(heard._window._contributions) <= 30


async def test_signal_to_noise_is_known_once_the_floor_is(bundle: StreamingBundle) -> None:
    heard = channel(bundle, DirectRunner())
    noise = np.random.default_rng(2).normal(0, 0.002, 16 * 16000).astype(np.float32)
    noise[8 * 16000 : 12 * 16000] += voice(4.0)
    results = [m for m in await hear(heard, noise) if isinstance(m, Result)]
    known = [r.snr_db for r in results if 9.0 <= r.end <= 12.0]
    assert all(value is not None and 5 < value < 40 for value in known)


def noisy_bundle(bundle: StreamingBundle, least_db: float) -> StreamingBundle:
    """Return the bundle with a bound on the noise that emotion is answered in."""
    strict = StreamingBundle(bundle.folder)
    strict.manifest = bundle.manifest.model_copy(update={"minimum_snr": MinimumSnr(emotion=least_db)})
    return strict


def voice_in_noise() -> NDArray[np.float32]:
    noise = np.random.default_rng(2).normal(0, 0.002, 16 * 16000).astype(np.float32)
    noise[8 * 16000 : 12 * 16000] += voice(4.0)
    return noise


async def test_too_noisy_a_voice_has_no_emotion_and_is_told_why_once(bundle: StreamingBundle) -> None:
    heard = channel(noisy_bundle(bundle, 90.0), DirectRunner())
    messages = await hear(heard, voice_in_noise())
    told = [m for m in messages if isinstance(m, Notice)]
    utterances = [m for m in messages if isinstance(m, UtteranceResult)]
    assert {m.code for m in told} == {"too_noisy"}
    assert 1 <= len(told) <= len(utterances)
    # Before, the noise is not known yet.
    answers = [m for m in messages if isinstance(m, Result) and 9.0 <= m.end <= 12.0]
    assert all(m.emotion is None and m.gender is not None for m in answers)
    assert all(m.emotion is None for m in utterances if m.end > 9.0)
    summary = await heard.summary(heard.speech)
    assert (summary.emotion, summary.emotion_thirds) == (None, (None, None, None))


async def test_a_clear_enough_voice_is_answered(bundle: StreamingBundle) -> None:
    messages = await hear(channel(noisy_bundle(bundle, -20.0), DirectRunner()), voice_in_noise())
    assert not any(isinstance(m, Notice) for m in messages)
    answers = [m for m in messages if isinstance(m, Result) and 9.0 <= m.end <= 12.0]
    assert all(m.emotion is not None for m in answers)


async def test_noise_is_that_of_the_moment_however_much_comes_at_once(bundle: StreamingBundle) -> None:
    samples = voice_in_noise()
    whole = await channel(bundle, DirectRunner()).push(samples)
    piecewise = channel(bundle, DirectRunner())
    parts = [
        m for start in range(0, len(samples), 700) for m in await piecewise.push(samples[start : start + 700])
    ]
    levels = [[m.snr_db for _, m in found if isinstance(m, Result)] for found in (whole, parts)]
    assert levels[0] == levels[1]
    assert len(set(levels[0])) > 2

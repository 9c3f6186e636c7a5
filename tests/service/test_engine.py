"""The engine: batches over streams whose results know nothing of each other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.service.session_fixtures import assert_same, contents, cut, heard, started, wire
from tests.voices import conversation, silence, voice
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.dsp.speech import ActiveStep, active_steps
from undertone_service.engine import DirectRunner, Engine, Lane, Runner, encode_steps


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Engine]:
    engine = Engine(**settings)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def encoded(
    runner: Runner, bundle: StreamingBundle, steps: Sequence[ActiveStep]
) -> NDArray[np.float32]:
    lane = Lane(bundle)
    return np.stack([await runner.encode(lane, step) for step in steps])


def others() -> list[NDArray[np.float32]]:
    """Return 31 companions: loud, silent and noisy ones."""
    random = np.random.default_rng(6)
    loud = [np.clip(20 * voice(2.0, pitch=100 + 9 * i, seed=i), -1, 1) for i in range(11)]
    faint = [1e-5 * voice(2.0, seed=i) for i in range(10)]
    noisy = [random.uniform(-1, 1, 32000).astype(np.float32) for _ in range(10)]
    return [*loud, *faint, *noisy]


def all_steps(samples: NDArray[np.float32]) -> list[ActiveStep]:
    """Return every step of f32[n] as active, whatever VAD and gate would say."""
    whole = samples[: len(samples) // 1600 * 1600].reshape(-1, 1600)
    return [ActiveStep(i, step, np.ones(5, np.float32), first=i == 0) for i, step in enumerate(whole)]


async def test_a_stream_alone_equals_the_same_stream_in_a_batch_of_32(bundle: StreamingBundle) -> None:
    steps = active_steps(conversation())[:40]
    alone = await encoded(DirectRunner(), bundle, steps)
    sizes: list[int] = []
    async with running(max_batch=32, observe=lambda batch: sizes.append(batch.size)) as engine:
        together = await asyncio.gather(
            encoded(engine, bundle, steps), *(encoded(engine, bundle, all_steps(other)) for other in others())
        )
    assert max(sizes) > 16  # they did share batches
    scale = np.maximum(np.abs(alone), 1)
    assert (np.abs(together[0] - alone) / scale).max() < 1e-4


async def test_a_whole_session_alone_equals_itself_among_31_others(bundle: StreamingBundle) -> None:
    pieces = cut(wire(conversation()), [6400])

    async def session(runner: Runner, audio: Sequence[bytes]) -> list[dict[str, Any]]:
        held, _ = await started(bundle, {}, runner=runner)
        return contents(await heard(held, audio))

    alone = await session(DirectRunner(), pieces)
    async with running() as engine:
        together = await asyncio.gather(
            session(engine, pieces), *(session(engine, cut(wire(other), [6400])) for other in others())
        )
    assert_same(together[0], alone)


async def test_answers_are_those_of_the_bundle(bundle: StreamingBundle) -> None:
    steps = active_steps(voice(2.0))
    sums = (await encoded(DirectRunner(), bundle, steps)).sum(axis=0, dtype=np.float64)
    rows = np.stack([sums, 3 * sums, sums[::1] * 0.5])
    async with running() as engine:
        found = await asyncio.gather(*(engine.answer(bundle, rows[i : i + 1]) for i in range(3)))
        many = await engine.answer(bundle, rows)
    for one, other in zip([f[0] for f in found], many, strict=True):
        np.testing.assert_allclose(one.emotion, other.emotion, atol=1e-4)
        np.testing.assert_allclose(one.voiceprint, other.voiceprint, atol=1e-4)
        assert one.age == pytest.approx(other.age, abs=1e-3)


async def test_answers_depend_on_moments_not_on_how_long_was_spoken(bundle: StreamingBundle) -> None:
    sums = (await encoded(DirectRunner(), bundle, active_steps(voice(2.0)))).sum(axis=0, dtype=np.float64)
    one, hundred = bundle.answer(np.stack([sums, 100 * sums]))
    np.testing.assert_allclose(one.emotion, hundred.emotion, atol=1e-4)
    assert np.linalg.norm(one.voiceprint) == pytest.approx(1, abs=1e-5)


async def test_caches_restart_at_an_utterance_and_the_normaliser_does_not(bundle: StreamingBundle) -> None:
    carried = bundle.manifest.carried_state
    steps = active_steps(voice(2.0))
    lane = Lane(bundle)
    for step in steps:
        encode_steps(bundle, [lane], [step])
    known = lane.state.copy()
    assert np.abs(known[carried:]).max() > 0
    assert known[0] == sum(2 * step.mask.sum() for step in steps)  # frames of 10 ms that the normaliser knows
    begin = ActiveStep(500, steps[3].samples, np.ones(5, np.float32), first=True)
    emptied = Lane(bundle)
    emptied.state = np.concatenate([known[:carried], np.zeros_like(known[carried:])])
    np.testing.assert_array_equal(
        encode_steps(bundle, [lane], [begin]), encode_steps(bundle, [emptied], [begin])
    )
    np.testing.assert_array_equal(lane.state, emptied.state)
    fresh = Lane(bundle)
    assert (
        np.abs(encode_steps(bundle, [fresh], [begin]) - encode_steps(bundle, [emptied], [begin])).max() > 1e-4
    )


async def test_a_lane_keeps_only_its_own_state_alive(bundle: StreamingBundle) -> None:
    lanes = [Lane(bundle) for _ in range(4)]
    step = active_steps(voice(0.5))[0]
    encode_steps(bundle, lanes, [step] * 4)
    assert all(lane.state.base is None for lane in lanes)


async def test_a_failing_bundle_fails_its_own_streams_only(bundle: StreamingBundle) -> None:
    bad = ActiveStep(0, np.zeros(7, np.float32), np.ones(5, np.float32), first=True)
    good = active_steps(voice(0.5))[0]
    async with running() as engine:
        with pytest.raises(Exception, match="samples"):
            await engine.encode(Lane(bundle), bad)
        assert (await engine.encode(Lane(bundle), good)).shape == (bundle.manifest.statistics_size,)


async def test_two_workers_and_a_stream_that_goes_away(bundle: StreamingBundle) -> None:
    steps = active_steps(voice(1.0))
    async with running(workers=2, max_batch=2) as engine:
        leaving = asyncio.create_task(encoded(engine, bundle, steps))
        await asyncio.sleep(0)
        leaving.cancel()
        staying = await asyncio.gather(*(encoded(engine, bundle, steps) for _ in range(5)))
    alone = await encoded(DirectRunner(), bundle, steps)
    for found in staying:
        np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-4)


async def test_what_waits_is_finished_at_the_stop(bundle: StreamingBundle) -> None:
    engine = Engine(max_batch=1)
    await engine.start()
    step = active_steps(voice(0.5))[0]
    waiting = [asyncio.create_task(engine.encode(Lane(bundle), step)) for _ in range(6)]
    await asyncio.sleep(0)
    await engine.stop()
    assert len(await asyncio.wait_for(asyncio.gather(*waiting), 5)) == 6
    assert engine.backlog == 0


async def test_silence_costs_nothing(bundle: StreamingBundle) -> None:
    sizes: list[int] = []
    async with running(observe=lambda batch: sizes.append(batch.size)) as engine:
        session, _ = await started(bundle, {}, runner=engine)
        await heard(session, [wire(silence(10.0))])
    assert sizes == []

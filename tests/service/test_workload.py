"""Measured load: what a batch costs for each of its items, and how the measure follows what happens."""

import asyncio

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.voices import voice
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.dsp.speech import active_steps
from undertone_service.engine import Background, Engine, Lane
from undertone_service.workload import SMOOTHING, Batch, ItemCost, Workload

PERIOD = 0.25


def run(workload: Workload, seconds: float, batches: list[Batch], loop: float = 0.0) -> None:
    """Let so many seconds pass with the same batches in each period."""
    for _ in range(round(seconds / PERIOD)):
        for batch in batches:
            workload.ran(batch)
        workload.measure(PERIOD, loop * PERIOD)


@given(
    st.lists(st.integers(1, 64), min_size=5, max_size=40),
    st.floats(1e-4, 1e-2),
    st.floats(1e-4, 1e-2),
)
def test_the_cost_of_an_item_is_the_slope_and_not_the_fixed_part(
    sizes: list[int], fixed: float, each: float
) -> None:
    assume(np.var(sizes) > 0.05 * np.mean(sizes) ** 2)
    cost = ItemCost()
    cost.add([Batch(size, fixed + size * each, ()) for size in sizes], PERIOD)
    mean = np.mean([fixed + size * each for size in sizes]) / np.mean(sizes)
    assert cost.item == pytest.approx(max(each, mean / 10), rel=1e-3)


def test_without_batches_or_differences_the_cost_is_the_mean() -> None:
    cost = ItemCost()
    assert cost.item == 0.0
    cost.add([Batch(4, 0.02, ())] * 3, PERIOD)
    assert cost.item == pytest.approx(0.005)


def test_load_and_delay_follow_within_the_smoothing_time_and_leave_again() -> None:
    workload = Workload(cores=2)
    busy = [Batch(2, 0.004, (0.01, 0.01)), Batch(10, 0.012, (0.03,) * 10)]  # 1 ms an item, 48 items a second
    run(workload, SMOOTHING, busy)
    assert workload.load == pytest.approx(0.048 * (1 - np.exp(-1)), rel=0.01)
    run(workload, 10 * SMOOTHING, busy)
    assert workload.load == pytest.approx(0.048, rel=0.01)
    assert workload.delay == pytest.approx(0.32 / 12, rel=0.01)
    run(workload, 10 * SMOOTHING, [])
    assert max(workload.load, workload.delay) < 1e-3


def test_the_busier_thread_counts_and_on_one_core_both() -> None:
    busy = [Batch(5, 0.05, (0.0,) * 5), Batch(10, 0.1, (0.0,) * 10)]  # 0.6 of the time
    for cores, loop, load in ((2, 0.2, 0.6), (2, 0.9, 0.9), (1, 0.3, 0.9)):
        workload = Workload(cores)
        run(workload, 10 * SMOOTHING, busy, loop)
        assert workload.load == pytest.approx(load, rel=0.01)


def test_a_late_loop_is_a_delay_even_where_nothing_runs() -> None:
    workload = Workload(cores=2)
    for _ in range(40):
        workload.measure(PERIOD + 0.2, 0.01)
    assert workload.delay == pytest.approx(0.2, rel=0.01)


async def test_only_what_somebody_waits_for_live_is_load(bundle: StreamingBundle) -> None:
    batches: list[Batch] = []
    engine = Engine(observe=batches.append)
    await engine.start()
    steps = active_steps(voice(1.0))
    lanes = [Lane(bundle), Lane(bundle)]
    for step in steps:
        await Background(engine).encode(lanes[0], step)
    behind = list(batches)
    batches.clear()
    for step in steps:
        await engine.encode(lanes[1], step)
    await engine.stop()
    await asyncio.sleep(0)
    for measured, delays in ((behind, 0), (batches, 1)):
        assert [batch.size for batch in measured] == [1] * len(steps)
        assert [len(batch.delays) for batch in measured] == [delays] * len(steps)
    assert all(batch.delays[0] >= batch.seconds > 0 for batch in batches)
    np.testing.assert_array_equal(lanes[0].state, lanes[1].state)
    workload = Workload(cores=2)
    run(workload, SMOOTHING, behind)
    assert workload.load == workload.delay == 0.0


async def test_a_busy_loop_is_measured_while_it_is_watched() -> None:
    workload = Workload(cores=2)
    watching = asyncio.create_task(workload.watch())
    until = asyncio.get_running_loop().time() + 1.2
    while asyncio.get_running_loop().time() < until:
        sum(range(20_000))
        await asyncio.sleep(0)
    watching.cancel()
    assert workload.load > 0.05

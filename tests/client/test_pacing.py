import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from undertone_client.audio.file import FileSource
from undertone_client.pacing import PacedFile, Pacer


@pytest.fixture
def half_second(tmp_path: Path) -> FileSource:
    soundfile.write(tmp_path / "a.wav", np.arange(4000, dtype=np.int16), 8000)
    return FileSource(tmp_path / "a.wav")


async def test_real_time_sends_20_ms_every_20_ms(half_second: FileSource) -> None:
    clock = asyncio.get_running_loop().time
    begun = clock()
    with half_second as file:
        source = PacedFile(file)
        times, blocks = [], []
        async for block in source:
            times.append(clock() - begun)
            blocks.append(block)
    assert {len(block) for block in blocks} == {320}
    assert np.frombuffer(b"".join(blocks), "<i2").tolist() == list(range(4000))
    assert source.sent == pytest.approx(0.5)
    assert all(time >= 0.02 * number - 0.002 for number, time in enumerate(times))
    assert times[0] < 0.1
    assert times[-1] < 1.0  # 0.48 but for a busy machine: waiting does not add up


async def test_fast_keeps_below_the_servers_rate(half_second: FileSource) -> None:
    clock = asyncio.get_running_loop().time
    begun = clock()
    with half_second as file:
        source = PacedFile(file, max_rate=4.0)
        async for _ in source:
            assert source.sent <= 4.0 * (clock() - begun) + 0.1 + 0.01
    assert 0.4 / 4.0 < clock() - begun < 0.4


async def test_a_long_stall_is_not_made_up_for_by_a_burst() -> None:
    clock = asyncio.get_running_loop().time
    pacer = Pacer(1.0)
    await pacer.wait(0.05)
    await asyncio.sleep(1.2)
    begun = clock()
    for _ in range(4):
        await pacer.wait(0.05)
    assert clock() - begun >= 0.145

"""Sounds that are no speech, through the bundle that Undertone ships: no utterance, and no guess about anybody."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.service.session_fixtures import cut, heard, started, wire
from undertone_models.training.synthetic_noise import dtmf, music, ringback, white_noise
from undertone_service.bundle.library import DEFAULT
from undertone_service.bundle.manifest import MANIFEST
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.protocol.messages import Result, SessionEnded

_ZOO = find_spec("undertone_zoo")
FOLDER = Path(next(iter(_ZOO.submodule_search_locations or ()), "")) / DEFAULT if _ZOO else Path(DEFAULT)
pytestmark = pytest.mark.skipif(
    not (FOLDER / MANIFEST).is_file(), reason=f"the bundle {DEFAULT} has not been trained and exported yet"
)

Maker = Callable[[float, np.random.Generator], NDArray[np.float32]]
SECONDS = 8.0


@pytest.fixture(scope="module")
def shipped() -> StreamingBundle:
    return StreamingBundle(FOLDER)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("make", [dtmf, ringback, music, white_noise])
@pytest.mark.parametrize("level", [1.0, 0.1])
async def test_no_utterance_and_no_answer(
    shipped: StreamingBundle, make: Maker, seed: int, level: float
) -> None:
    samples = level * make(SECONDS, np.random.default_rng(seed))
    session, _ = await started(shipped, {})
    messages = await heard(session, cut(wire(samples), [3200]))
    assert {type(message) for message in messages} == {Result, SessionEnded}
    for message in messages:
        if isinstance(message, Result):
            assert (message.emotion, message.gender, message.age, message.speaker) == (None,) * 4
    summary = messages[-1]
    assert isinstance(summary, SessionEnded)
    channel = summary.channels[0]
    assert (channel.emotion, channel.gender, channel.age, channel.speaker) == (None,) * 4

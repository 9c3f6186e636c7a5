"""The energy gate: quiet frames are shut out, steady noise too, and long speech is not."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voices import silence, voice
from undertone_service.dsp import FRAME_SAMPLES
from undertone_service.dsp.gate import EnergyGate

SECOND = 50  # frames


def levels(samples: np.ndarray) -> list[float]:
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return [float(level) for level in np.abs(frames).mean(axis=1)]


def test_near_silence_keeps_it_shut_and_speech_opens_it_at_once() -> None:
    gate = EnergyGate()
    assert not any(gate.push(levels(silence(6))))
    assert gate.push([0.05]) == [True]


def test_it_stays_open_for_the_envelope_of_100_ms() -> None:
    gate = EnergyGate()
    assert gate.push([0.05] * 5 + [0.0] * 6) == [True] * 9 + [False] * 2


def test_steady_noise_closes_it_within_eight_seconds() -> None:
    noise = levels(np.random.default_rng(3).normal(0, 0.02, 16000 * 20).astype(np.float32))
    opened = EnergyGate().push(noise)
    assert opened[0]  # nothing is known yet
    assert not any(opened[8 * SECOND :])


def test_speech_above_steady_noise_opens_it() -> None:
    random = np.random.default_rng(4)
    noise = random.normal(0, 0.004, 16000 * 10).astype(np.float32)
    noise[8 * 16000 : 9 * 16000] += voice(1.0)
    opened = EnergyGate().push(levels(noise))
    assert np.mean(opened[8 * SECOND : 9 * SECOND]) > 0.7  # its syllables; between them the noise is as loud
    assert not any(opened[7 * SECOND : 8 * SECOND])


def test_long_speech_does_not_raise_the_floor() -> None:
    # Ten seconds of speech with the short gaps that speech has, over and over, for two minutes.
    speech = levels(voice(10.0))
    gate = EnergyGate()
    first, second = np.mean(gate.push(speech)), np.mean(gate.push(speech))
    for _ in range(10):
        last = np.mean(gate.push(speech))
    assert first > 0.9
    assert last >= second - 0.01 > first - 0.1
    assert gate.noise_floor < 0.5 * np.median(speech)


def test_the_floor_follows_when_noise_grows_and_falls() -> None:
    gate = EnergyGate()
    gate.push([0.001] * (6 * SECOND))
    assert abs(gate.noise_floor - 0.001) < 1e-9
    gate.push([0.01] * (7 * SECOND))
    assert abs(gate.noise_floor - 0.01) < 1e-9
    gate.push([0.001] * SECOND)
    assert abs(gate.noise_floor - 0.001) < 1e-9


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=10))
def test_cutting_changes_nothing(sizes: list[int]) -> None:
    heard = levels(np.concatenate([silence(1), voice(2.0), silence(3)]))
    gate, decisions, position, turn = EnergyGate(), [], 0, 0
    while position < len(heard):
        size = sizes[turn % len(sizes)]
        decisions += gate.push(heard[position : position + size])
        position, turn = position + size, turn + 1
    assert decisions == EnergyGate().push(heard)

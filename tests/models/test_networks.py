"""The streaming network: features, rules of state, offline against streaming."""

import numpy as np
import pytest
import torch

from tests.tiny_bundle import SETTINGS, tiny_network
from tests.voices import conversation, voice
from undertone_models.networks.logmel import (
    BANDS,
    CONTEXT,
    HOP,
    NORMALISER_SIZE,
    STEP,
    WINDOW,
    LogMel,
    mel_filters,
)
from undertone_models.networks.sequences import encode_sequences
from undertone_models.networks.streaming import (
    MASK_FRAMES,
    VARIANCE_FLOOR,
    Encoder,
    StreamingNetwork,
    StreamingSettings,
    moments,
)
from undertone_service.bundle.streaming import moments as serving_moments
from undertone_service.dsp.speech import ActiveStep, active_steps


@pytest.fixture(scope="module")
def network() -> StreamingNetwork:
    return tiny_network()


def step_by_step(encoder: Encoder, steps: list[ActiveStep]) -> np.ndarray:
    """Serve one channel as the engine does, in PyTorch."""
    state, rows = torch.zeros(1, encoder.state_size), []
    with torch.no_grad():
        for step in steps:
            if step.first:
                state[:, NORMALISER_SIZE:] = 0
            samples, mask = torch.from_numpy(step.samples)[None], torch.from_numpy(step.mask)[None]
            statistics, state = encoder(samples, mask, state)
            rows.append(statistics[0].numpy())
    return np.stack(rows)


def tensors(steps: list[ActiveStep]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return (
        torch.from_numpy(np.stack([step.samples for step in steps])),
        torch.from_numpy(np.stack([step.mask for step in steps])),
        torch.tensor([step.first for step in steps]),
    )


def padded(channels: list[list[ActiveStep]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    parts = [tensors(steps) for steps in channels]
    longest = max(len(steps) for steps in channels)
    return tuple(  # type: ignore[return-value]
        torch.stack(
            [torch.cat([p[i], p[i].new_zeros((longest - len(p[i]), *p[i].shape[1:]))]) for p in parts]
        )
        for i in range(3)
    )


def test_whole_recordings_equal_step_by_step(network: StreamingNetwork) -> None:
    channels = [
        active_steps(conversation()),
        active_steps(voice(1.3, pitch=200)),
        active_steps(0.02 * voice(3.0)),
    ]
    assert sum(step.first for step in channels[0]) == 3
    with torch.no_grad():
        statistics, _, _ = encode_sequences(network.encoder, *padded(channels))
    for row, steps in zip(statistics.numpy(), channels, strict=True):
        expected = step_by_step(network.encoder, steps)
        np.testing.assert_allclose(row[: len(steps)], expected, rtol=1e-4, atol=1e-4)
        assert not row[len(steps) :].any()


def test_a_recording_in_parts_that_hand_on_the_normaliser_equals_the_whole(network: StreamingNetwork) -> None:
    samples, mask, first = (part[None] for part in tensors(active_steps(conversation())))
    begin = int(torch.nonzero(first[0])[1])  # the second utterance
    with torch.no_grad():
        whole, _, after = encode_sequences(network.encoder, samples, mask, first)
        one, _, known = encode_sequences(
            network.encoder, samples[:, :begin], mask[:, :begin], first[:, :begin]
        )
        two, _, end = encode_sequences(
            network.encoder, samples[:, begin:], mask[:, begin:], first[:, begin:], known
        )
    np.testing.assert_allclose(torch.cat([one, two], dim=1), whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(end, after, rtol=1e-5, atol=1e-5)


def test_a_stream_does_not_depend_on_its_batch(network: StreamingNetwork) -> None:
    encoder, random = network.encoder, torch.Generator().manual_seed(1)
    samples = torch.randn(32, STEP, generator=random) * torch.logspace(-5, 0, 32)[:, None]
    mask, state = torch.ones(32, MASK_FRAMES), torch.zeros(32, encoder.state_size)
    with torch.no_grad():
        together, _ = encoder(samples, mask, state)
        for row in (0, 15, 31):
            alone, _ = encoder(samples[row : row + 1], mask[:1], state[:1])
            np.testing.assert_allclose(alone[0], together[row], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("gain", [0.003, 0.1, 3.0])
def test_the_answer_does_not_depend_on_the_gain(network: StreamingNetwork, gain: float) -> None:
    steps = active_steps(voice(2.0))
    quiet = [ActiveStep(s.index, np.float32(gain) * s.samples, s.mask, s.first) for s in steps]
    # Not to the last digit: the floor under the logarithm is absolute.
    np.testing.assert_allclose(
        step_by_step(network.encoder, quiet), step_by_step(network.encoder, steps), rtol=0.02, atol=0.05
    )


def test_masked_frames_weigh_nothing(network: StreamingNetwork) -> None:
    encoder = network.encoder
    samples = torch.from_numpy(voice(0.1))[None]
    with torch.no_grad():
        nothing, _ = encoder(samples, torch.zeros(1, 5), torch.zeros(1, encoder.state_size))
    assert not nothing.any()


def test_the_normaliser_learns_from_speech_frames_only(network: StreamingNetwork) -> None:
    encoder = network.encoder
    samples = torch.from_numpy(voice(0.1))[None]
    with torch.no_grad():
        _, state = encoder(
            samples, torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0]]), torch.zeros(1, encoder.state_size)
        )
        _, later = encoder(torch.randn(1, STEP), torch.zeros(1, 5), state)
    assert state[0, 0] == 6  # frames of 10 ms
    np.testing.assert_array_equal(later[:, :NORMALISER_SIZE], state[:, :NORMALISER_SIZE])


def test_nothing_is_heard_before_it_is_said(network: StreamingNetwork) -> None:
    steps = active_steps(voice(2.0))
    changed = [
        *steps[:10],
        *(ActiveStep(s.index, -s.samples[::-1].copy(), s.mask, s.first) for s in steps[10:]),
    ]
    one, other = (step_by_step(network.encoder, s) for s in (steps, changed))
    np.testing.assert_array_equal(one[:10], other[:10])
    assert np.abs(one[10:] - other[10:]).max() > 1e-3


def test_weights_are_bounded(network: StreamingNetwork) -> None:
    rows = step_by_step(network.encoder, active_steps(conversation()))
    places = np.cumsum([0, *(1 + 2 * size for size in SETTINGS.pools().values())])
    speech = rows[:, places[-1]]
    assert (speech <= 5).all()
    for place in places[:-1]:
        assert (rows[:, place] <= np.exp(3) * speech + 1e-4).all()
        assert (rows[:, place] >= np.exp(-3) * speech - 1e-4).all()


def test_moments_of_training_are_those_of_serving() -> None:
    random = np.random.default_rng(0)
    pools = {"one": 3, "two": 2}
    sums = random.uniform(1, 2, (4, 13))
    sums[:, 4:7] += 3  # variances above the floor in places
    trained = moments(
        torch.from_numpy(sums),
        pools,
    ).numpy()
    np.testing.assert_allclose(trained, serving_moments(sums, [3, 2], VARIANCE_FLOOR), rtol=1e-6)


def test_log_mel_is_the_power_of_the_windowed_spectrum() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, CONTEXT + STEP).astype(np.float32)
    power = LogMel()(torch.from_numpy(samples)[None])[0].numpy()
    assert power.shape == (STEP // HOP, BANDS)
    window = np.hamming(WINDOW + 1)[:-1]
    window[0] = 0  # the sample without a partner is left out
    for frame in range(STEP // HOP):
        spectrum = np.abs(np.fft.rfft(samples[frame * HOP : frame * HOP + WINDOW] * window, 512)) ** 2
        np.testing.assert_allclose(power[frame], spectrum @ mel_filters().numpy(), rtol=2e-3)


def test_every_mel_band_hears_something() -> None:
    filters = mel_filters()
    assert filters.shape == (257, BANDS)
    assert (filters.sum(dim=0) > 0).all()
    centres = (filters * torch.arange(257)[:, None]).sum(0) / filters.sum(0)
    assert (torch.diff(centres) > 0).all()


def test_the_network_as_trained_keeps_its_budget() -> None:
    network = StreamingNetwork(StreamingSettings())
    assert sum(p.numel() for p in network.parameters()) <= 3_000_000
    assert network.encoder.statistics_size <= 1600
    assert sum(torch.Size(s).numel() for s in network.encoder.cache_shapes) == (
        network.encoder.state_size - NORMALISER_SIZE - CONTEXT
    )


@pytest.mark.parametrize("past", [0.0, 40.0, 900.0, 5000.0])
def test_the_normaliser_takes_many_steps_as_it_takes_one_by_one(
    network: StreamingNetwork, past: float
) -> None:
    random = torch.Generator().manual_seed(2)
    power = torch.rand(3, 12, 10, 80, generator=random) ** 4
    speech = (torch.rand(3, 12, 5, generator=random) > 0.4).float()
    speech[1, :3] = 0  # begins with silence
    state = torch.randn(3, 82, generator=random) * 0.3
    state[:, 0] = past
    normaliser, expected, known = network.encoder.normaliser, [], state
    for step in range(12):
        view, known = normaliser(power[:, step], speech[:, step], known)
        expected.append(view)
    views, after = normaliser.sequence(power, speech, state)
    torch.testing.assert_close(views, torch.stack(expected, dim=1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after, known, rtol=1e-4, atol=1e-4)

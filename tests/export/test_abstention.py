"""Least speech and least SNR: where answers stop being right as often as they say."""

import numpy as np

from undertone_export.abstention import HIGHEST_SNR, LENGTHS, Judged, least_snr, least_speech


def at_lengths(overstated: dict[float, float]) -> list[Judged]:
    """Return a hundred answers for each length that claim 0.8, and are right less often by so much."""
    return [
        Judged(0.8, number < 100 * (0.8 - by), length, length, None)
        for length, by in overstated.items()
        for number in range(100)
    ]


def test_the_least_speech_is_where_answers_can_be_trusted() -> None:
    assert least_speech(at_lengths({0.5: 0.0, 1.0: 0.0, 1.5: -0.1})) == 0.5
    assert least_speech(at_lengths({0.5: 0.2, 1.0: 0.0, 1.5: 0.0})) == 1.0
    assert least_speech(at_lengths({0.5: 0.0, 1.0: 0.2, 1.5: 0.0})) == 1.5
    assert least_speech(at_lengths({0.5: 0.2, 1.0: 0.2, 1.5: 0.2})) == 1.5
    assert max(LENGTHS) < 2.0


def in_noise(honest_from: float, lowest: float = 2.0, speech: float = 3.0) -> list[Judged]:
    """Return answers at SNRs up to 40 dB that claim 0.8 and are right as often only from some dB on."""
    random = np.random.default_rng(0)
    snr = random.uniform(lowest, 40, 8000)
    right = random.random(8000) < np.where(snr >= honest_from, 0.8, 0.4)
    return [Judged(0.8, bool(r), speech, None, float(s)) for s, r in zip(snr, right, strict=True)]


def test_the_least_snr_is_where_answers_can_be_trusted() -> None:
    found = least_snr(in_noise(honest_from=4.0))
    assert found is not None
    assert 3.0 <= found <= 5.0


def test_nothing_is_promised_of_noise_that_was_not_heard() -> None:
    assert least_snr(in_noise(honest_from=-99.0, lowest=2.5)) == 3.0
    assert least_snr([]) is None
    assert least_snr(at_lengths({1.0: 0.2})) is None


def test_most_answers_stay() -> None:
    few_left = least_snr(in_noise(honest_from=30.0, lowest=-10.0))
    assert few_left is not None
    assert -7.0 <= few_left <= -5.0  # a tenth of 50 dB above -10
    assert least_snr(in_noise(honest_from=99.0, lowest=20.0)) == HIGHEST_SNR

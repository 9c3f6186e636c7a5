"""The encoder's last word: what it takes to make an utterance, and what counts then."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.service.manifests import manifest
from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.dsp.speech import ActiveStep


def counted(shares: list[float], firsts: tuple[int, ...] = (0,)) -> tuple[list[int], list[int]]:
    """Push steps with these shares of speech; return which steps count, and at which step the first ones did."""
    confirmation = SpeechConfirmation(manifest(speech_share=0.9, confirm_steps=3))
    found, when = [], []
    for index, share in enumerate(shares):
        step = ActiveStep(index, np.zeros(1600, np.float32), np.ones(5, np.float32), index in firsts)
        for contribution in confirmation.push(step, np.array([0.0, 5 * share], np.float32)):
            found.append(contribution.index)
            when.append(index)
    return found, when


def test_a_late_confirmation_loses_nothing() -> None:
    found, when = counted([0.6, 0.7, 0.95, 0.6, 0.95, 0.95, 0.6, 0.95])
    assert found == list(range(8))
    assert when == [5, 5, 5, 5, 5, 5, 6, 7]


def test_two_sure_steps_are_no_utterance() -> None:
    assert counted([0.95, 0.95]) == ([], [])


def test_what_is_likely_and_never_sure_is_no_utterance() -> None:
    assert counted([0.85] * 100) == ([], [])


def test_single_sure_steps_in_noise_do_not_add_up() -> None:
    assert counted([0.95 if i % 4 == 0 else 0.1 for i in range(200)]) == ([], [])
    assert counted([0.95 if i % 10 == 0 else 0.7 for i in range(200)]) == ([], [])


def test_a_confirmed_utterance_keeps_its_doubtful_steps_and_loses_the_unlikely_ones() -> None:
    found, _ = counted([0.95] * 6 + [0.2] + [0.6] * 3)
    assert found == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_noise_that_follows_speech_ceases_to_count() -> None:
    found, _ = counted([0.95] * 10 + [0.1] * 30 + [0.7] + [0.1] * 5)
    assert found == list(range(10))


def test_every_utterance_is_confirmed_anew() -> None:
    found, _ = counted([0.95] * 5 + [0.95] * 2 + [0.95] * 6, firsts=(0, 5, 7))
    assert found == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 12]


@given(st.lists(st.floats(0, 1), max_size=60))
def test_no_step_counts_twice_and_none_without_likely_speech(shares: list[float]) -> None:
    found, when = counted(shares)
    assert found == sorted(set(found))
    assert all(5 * shares[index] >= np.float32(2.4999) for index in found)
    assert all(index <= at for index, at in zip(found, when, strict=True))
    assert not found or sum(share >= 0.89 for share in shares) >= 3

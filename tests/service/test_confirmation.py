"""The encoder's last word: what it takes to make an utterance, and what counts then."""

import numpy as np

from tests.service.manifests import manifest
from undertone_service.analysis.confirmation import SpeechConfirmation
from undertone_service.dsp.speech import ActiveStep


def counted(shares: list[float], firsts: tuple[int, ...] = (0,)) -> tuple[list[int], list[int]]:
    """Push steps with these shares of speech; return which steps count, and at which step the first ones did."""
    confirmation = SpeechConfirmation(manifest(speech_share=0.6, confirm_steps=4))
    found, when = [], []
    for index, share in enumerate(shares):
        step = ActiveStep(index, np.zeros(1600, np.float32), np.ones(5, np.float32), index in firsts)
        for contribution in confirmation.push(step, np.array([0.0, 5 * share], np.float32)):
            found.append(contribution.index)
            when.append(index)
    return found, when


def test_a_late_confirmation_loses_nothing() -> None:
    found, when = counted([0.9] * 8)
    assert found == list(range(8))
    assert when == [3, 3, 3, 3, 4, 5, 6, 7]


def test_three_steps_are_no_utterance() -> None:
    assert counted([0.9, 0.9, 0.9]) == ([], [])


def test_single_steps_in_noise_do_not_add_up() -> None:
    assert counted([0.9 if i % 4 == 0 else 0.1 for i in range(200)]) == ([], [])


def test_a_step_that_is_no_speech_does_not_count_within_an_utterance() -> None:
    found, _ = counted([0.9] * 6 + [0.2] + [0.9] * 3)
    assert found == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_noise_that_follows_speech_ceases_to_count() -> None:
    found, _ = counted([0.9] * 10 + [0.1] * 30 + [0.7] + [0.1] * 5)
    assert found == list(range(10))


def test_every_utterance_is_confirmed_anew() -> None:
    found, _ = counted([0.9] * 5 + [0.9] * 3 + [0.9] * 6, firsts=(0, 5, 8))
    assert found == [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13]

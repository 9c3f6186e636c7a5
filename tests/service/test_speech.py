"""Steps, pre-roll, hang-over, utterances."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.voices import conversation, silence, voice
from undertone_service.dsp import FRAMES_PER_STEP, STEP_SAMPLES
from undertone_service.dsp.speech import HeardStep, SpeechDetector, active_steps
from undertone_service.dsp.vad import WebRtcVad


class ScriptedVad(WebRtcVad):
    """Calls speech what a script says; the gate sees loud samples throughout."""

    def __init__(self, script: str) -> None:
        super().__init__()
        self._script = [mark == "x" for mark in script.replace(" ", "")]

    def push(self, frames: NDArray[np.float32]) -> list[bool]:
        said, self._script = self._script[: len(frames)], self._script[len(frames) :]
        return said


def hear(script: str) -> tuple[SpeechDetector, list[HeardStep]]:
    """Hear steps of five frames each, as ``..xx. .....``; each step's samples are its number over 100."""
    detector = SpeechDetector(ScriptedVad(script))
    steps = len(script.replace(" ", "")) // FRAMES_PER_STEP
    samples = np.repeat(np.arange(1, steps + 1, dtype=np.float32) / np.float32(100), STEP_SAMPLES)
    return detector, detector.push(samples)


def active(heard: Sequence[HeardStep]) -> list[tuple[int, str, bool]]:
    return [
        (step.index, "".join("x" if frame else "." for frame in step.mask), step.first)
        for entry in heard
        for step in entry.active
    ]


def test_speech_in_the_middle_of_a_step_brings_its_pre_roll_of_100_ms() -> None:
    _, heard = hear("..... ..... ..xx. .....")
    assert active(heard) == [(1, "..xxx", True), (2, "xxxxx", False), (3, "xxxxx", False)]


def test_the_pre_roll_comes_with_the_step_that_begins_speech_and_holds_its_own_samples() -> None:
    _, heard = hear("..... ..... x.... .....")
    assert [len(entry.active) for entry in heard] == [0, 0, 2, 0]
    assert [float(step.samples[0]) for step in heard[2].active] == [np.float32(0.02), np.float32(0.03)]


def test_the_first_step_of_all_has_no_pre_roll() -> None:
    _, heard = hear("x.... .....")
    assert active(heard) == [(0, "xxxxx", True)]


def test_hang_over_reaches_two_frames_into_the_next_step_and_is_rounded_up() -> None:
    assert [s[0] for s in active(hear("x.x.. ..... .....")[1])] == [0]
    assert [s[0] for s in active(hear("..xx. ..... .....")[1])] == [0, 1]
    assert [s[0] for s in active(hear("....x ..... .....")[1])] == [0, 1]


def test_no_step_is_ever_heard_twice() -> None:
    _, heard = hear("....x ..... x.... ..... ..... x.... ..... x....")
    assert [s[0] for s in active(heard)] == [0, 1, 2, 4, 5, 6, 7]


def test_an_utterance_ends_after_five_steps_without_speech_and_the_next_begins_anew() -> None:
    _, heard = hear("x.... " + "..... " * 4 + "x.... " + "..... " * 6 + "x....")
    assert [(entry.index, entry.ended) for entry in heard if entry.ended is not None] == [(10, 5)]
    assert [s[0] for s in active(heard) if s[2]] == [0, 11]


def test_gate_and_vad_are_both_needed_and_both_reported() -> None:
    detector = SpeechDetector(ScriptedVad("xxxxx xxxxx"))
    quiet, loud = detector.push(np.repeat(np.array([0, 0.1], np.float32), STEP_SAMPLES))
    assert (quiet.vad, quiet.gate_open, quiet.active) == (True, False, ())
    assert (loud.vad, loud.gate_open) == (True, True)
    assert active([loud])[-1][0] == 1


def test_end_utterance_makes_the_next_speech_a_new_one() -> None:
    detector, _ = hear("xxxxx")
    assert detector.in_utterance
    assert detector.end_utterance() == 0
    assert not detector.in_utterance
    assert detector.end_utterance() is None
    detector._vad = ScriptedVad("xxxxx")
    assert active(detector.push(np.full(STEP_SAMPLES, 0.1, np.float32))) == [(1, "xxxxx", True)]


def test_skip_advances_the_clock_ends_the_utterance_and_forgets_the_pre_roll() -> None:
    detector, _ = hear("x.... .....")
    detector.push(np.ones(100, np.float32))  # a part of a step
    assert detector.skip(30) == 0
    assert detector.index == 32
    detector._vad = ScriptedVad("x....")
    assert active(detector.push(np.full(STEP_SAMPLES, 0.1, np.float32))) == [(32, "xxxxx", True)]


def test_flush_hears_the_incomplete_step() -> None:
    detector = SpeechDetector()
    assert detector.flush() == []
    detector.push(voice(0.25))
    rest = detector.flush()
    assert [entry.index for entry in rest] == [2]
    assert detector.flush() == []


def test_a_voice_is_found_where_it_is() -> None:
    sounds = np.concatenate([silence(1.0), voice(2.0), silence(1.5), voice(1.0, pitch=200), silence(1.0)])
    detector = SpeechDetector()
    heard = detector.push(sounds)
    firsts = [s.index for entry in heard for s in entry.active if s.first]
    ends = [entry.ended for entry in heard if entry.ended is not None]
    assert len(firsts) == len(ends) == 2
    np.testing.assert_allclose(firsts, [9, 44], atol=2)
    np.testing.assert_allclose(ends, [30, 55], atol=3)  # WebRTC VAD hangs on for a while itself


def test_silence_is_never_active() -> None:
    assert active_steps(np.zeros(STEP_SAMPLES * 30, np.float32)) == []
    assert active_steps(np.zeros(0, np.float32)) == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 20000), min_size=1, max_size=10))
def test_cutting_changes_nothing(sizes: list[int]) -> None:
    samples = conversation()
    detector, heard, position, turn = SpeechDetector(), [], 0, 0
    while position < len(samples):
        size = max(sizes[turn % len(sizes)], 37)
        heard += detector.push(samples[position : position + size])
        position, turn = position + size, turn + 1
    whole = SpeechDetector().push(samples)
    assert [(h.index, h.level, h.vad, h.gate_open, h.ended) for h in heard] == [
        (h.index, h.level, h.vad, h.gate_open, h.ended) for h in whole
    ]
    for one, other in zip(
        [s for h in heard for s in h.active], [s for h in whole for s in h.active], strict=True
    ):
        assert (one.index, one.first) == (other.index, other.first)
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.mask, other.mask)

"""What a recording must be like before its voice is enrolled."""

from dataclasses import replace

import numpy as np
import pytest

from undertone_service.enrolment import EnrolmentRules, check_recording, missing_speech
from undertone_service.offline import VoiceSample
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.store.voices import Voiceprint

RULES = EnrolmentRules(agreement=0.5)
VOICE, STRANGER = np.eye(2, 4, dtype=np.float32)
GOOD = VoiceSample(VOICE, 3.0, -20.0, 25.0, 0.0, 8000)


def test_a_first_good_recording_passes_and_more_is_wanted() -> None:
    assert check_recording(GOOD, None, RULES) is None
    assert check_recording(replace(GOOD, snr_db=None), None, RULES) is None
    assert missing_speech(3.0, RULES) == 2.0
    assert missing_speech(7.0, RULES) == 0.0


def test_a_further_recording_reports_its_agreement() -> None:
    assert check_recording(GOOD, Voiceprint(VOICE, 3.0, 8000), RULES) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"speech": 0.4}, ErrorCode.NOT_ENOUGH_SPEECH, "0.6 s less"),
        ({"voiceprint": None, "speech": 0.0}, ErrorCode.NOT_ENOUGH_SPEECH, "1.0 s less"),
        ({"voiceprint": VOICE * np.nan}, ErrorCode.BAD_AUDIO, "no usable voiceprint"),
        ({"level_db": -60.0}, ErrorCode.POOR_RECORDING, "too quiet"),
        ({"clipped": 0.05}, ErrorCode.POOR_RECORDING, "overdriven"),
        ({"snr_db": 2.0}, ErrorCode.POOR_RECORDING, "too noisy"),
        ({"voiceprint": STRANGER}, ErrorCode.RECORDINGS_DISAGREE, "cosine 0.00"),
    ],
)
def test_a_bad_recording_is_refused_with_the_reason(
    change: dict[str, object], code: ErrorCode, told: str
) -> None:
    with pytest.raises(UndertoneError) as refusal:
        check_recording(replace(GOOD, **change), Voiceprint(VOICE, 3.0, 8000), RULES)  # type: ignore[arg-type]
    assert refusal.value.code is code
    assert told in refusal.value.problem
    assert refusal.value.remedy.endswith(".")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(UndertoneError, match=r"too quiet.*too noisy.*Speak up.* and record"):
        check_recording(replace(GOOD, level_db=-70.0, snr_db=1.0), None, RULES)

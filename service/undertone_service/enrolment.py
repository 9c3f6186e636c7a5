"""What a recording must be like before its voice is enrolled."""

from dataclasses import dataclass

import numpy as np

from undertone_service.offline import VoiceSample
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.store.voices import Voiceprint


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """Bounds on one recording, and what a speaker's recordings must reach together.

    ``agreement`` is the least cosine to what was enrolled before (from the bundle's manifest);
    ``wanted_speech`` the net seconds of all recordings together; ``clipped`` a part of the samples.
    """

    agreement: float
    wanted_speech: float = 5.0
    min_speech: float = 1.0
    min_level_db: float = -50.0
    min_snr_db: float = 6.0
    max_clipped: float = 0.01


def check_recording(sample: VoiceSample, before: Voiceprint | None, rules: EnrolmentRules) -> float | None:
    """Return the recording's cosine to the voice enrolled ``before``, None for the first recording.

    Raises:
        UndertoneError: ``bad_audio``, ``not_enough_speech``, ``poor_recording`` or ``recordings_disagree``.
    """
    if sample.voiceprint is None or sample.speech < rules.min_speech:
        raise UndertoneError(
            ErrorCode.NOT_ENOUGH_SPEECH,
            f"The recording holds {sample.speech:.1f} s of speech, {rules.min_speech - sample.speech:.1f} s "
            f"less than the {rules.min_speech:.1f} s that one recording needs.",
            f"Record {rules.wanted_speech:.0f} s or more of one person talking.",
        )
    if not np.isfinite(sample.voiceprint).all():
        raise UndertoneError(
            ErrorCode.BAD_AUDIO, "The recording gives no usable voiceprint.", "Send another recording."
        )
    _check_quality(sample, rules)
    if before is None:
        return None
    agreement = float(before.vector @ sample.voiceprint)
    if agreement < rules.agreement:
        raise UndertoneError(
            ErrorCode.RECORDINGS_DISAGREE,
            "The voice in the recording is not like the one enrolled before "
            f"(cosine {agreement:.2f}, at least {rules.agreement:.2f} is wanted).",
            "Send a recording of the same person, or delete the speaker and enrol again.",
        )
    return agreement


def _check_quality(sample: VoiceSample, rules: EnrolmentRules) -> None:
    faults = [
        fault
        for failed, *fault in (
            (
                sample.level_db < rules.min_level_db,
                f"it is too quiet ({sample.level_db:.0f} dB, at least {rules.min_level_db:.0f} dB)",
                "speak up or turn up the microphone",
            ),
            (
                sample.clipped > rules.max_clipped,
                f"it is overdriven ({sample.clipped:.1%} at full scale, at most {rules.max_clipped:.0%})",
                "turn the microphone down",
            ),
            (
                sample.snr_db is not None and sample.snr_db < rules.min_snr_db,
                f"it is too noisy ({sample.snr_db or 0:.0f} dB SNR, at least {rules.min_snr_db:.0f} dB)",
                "record in a quieter place",
            ),
        )
        if failed
    ]
    if faults:
        problems, remedies = zip(*faults, strict=True)
        raise UndertoneError(
            ErrorCode.POOR_RECORDING,
            f"The recording cannot be enrolled: {'; '.join(problems)}.",
            f"{' and '.join(remedies).capitalize()}.",
        )


def missing_speech(enrolled: float, rules: EnrolmentRules) -> float:
    """Net seconds still wanted when ``enrolled`` seconds are stored; 0 when that is enough."""
    return max(0.0, round(rules.wanted_speech - enrolled, 3))

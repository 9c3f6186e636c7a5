"""``manifest.json``: everything about a bundle that is not in its graphs."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertone_service.protocol.labels import AGE_BANDS, EMOTIONS, GENDERS

MANIFEST = "manifest.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(_Part):
    """What the weights may be used for."""

    name: str
    commercial_use: bool
    notice: str = Field(description="one sentence that users see before anything else")


class VoiceCalibration(_Part):
    """Cosine score to log likelihood ratio, by seconds of net speech s of the probe, held to ``speech_range``.

    llr = (slope + slope_per_log * ln s) * score + offset + offset_per_log * ln s
    """

    slope: float = 20.0
    slope_per_log: float = 0.0
    offset: float = -8.0
    offset_per_log: float = 0.0
    speech_range: tuple[float, float] = (0.5, 20.0)


class VerificationThresholds(_Part):
    """Decisions on the probability at a prior of 0.5, chosen for the error of whole sessions on ``valid``."""

    accept: float = 0.95
    accept_per_log: float = Field(
        default=0.0,
        description="log odds demanded on top of ``accept``, times ln(10 / s), before s = 10 net seconds",
    )
    reject: float = 0.02
    release: float = Field(default=0.5, description="an accepted claim falls back to undecided below this")
    minimum_speech: float = Field(default=1.5, description="net seconds before any decision")
    changed: float = Field(default=0.01, description="recent and earlier voice are two people below this")
    identify: float = Field(
        default=0.5, description="least posterior of an identification that is not 'none of them'"
    )
    agreement: float = Field(default=0.3, description="least cosine between recordings of one enrolment")
    chosen_for: dict[str, float] = Field(default_factory=dict, description="error rates on valid")


class Calibration(_Part):
    """Raw outputs to honest answers, by net seconds of speech s held to ``speech_range``; fitted on ``valid``.

    temperature T(s) = temperature * s ** per_log (Guo et al. 2017, section 4.2, for each length); years =
    age_offset + age_slope * output; the interval runs from years + age_low * w to years + age_high * w, with
    w = exp(age_width_per_log * ln s + age_width_per_decade * (years - 40) / 10) (split conformal, Lei et al. 2018).
    """

    emotion_temperature: float = 1.0
    emotion_temperature_per_log: float = 0.0
    gender_temperature: float = 1.0
    gender_temperature_per_log: float = 0.0
    age_slope: float = 1.0
    age_offset: float = 0.0
    age_low: float = Field(default=-8.0, description="years from the estimate to the interval's lower end")
    age_high: float = Field(default=12.0, description="years from the estimate to the interval's upper end")
    age_width_per_log: float = 0.0
    age_width_per_decade: float = 0.0
    speech_range: tuple[float, float] = (0.5, 10.0)
    voice: VoiceCalibration = VoiceCalibration()


class MinimumSpeech(_Part):
    """Net seconds of speech below which a task answers null."""

    emotion: float = 0.5
    gender: float = 0.3
    age: float = 0.5
    voiceprint: float = 0.5


class MinimumSnr(_Part):
    """Speech over noise in dB, as the service estimates it, below which a task answers null; None: at any."""

    emotion: float | None = None
    gender: float | None = None
    age: float | None = None


class Manifest(_Part):
    """What a bundle of either kind says of itself.

    ``digest`` covers the graphs: voiceprints compare within one digest only. ``tasks`` names what it answers, of
    ``emotion``, ``gender``, ``age`` and ``voiceprint``.
    """

    name: str
    kind: str
    version: str = "1"
    sample_rate: Literal[16000] = 16000
    voiceprint_size: int = 0
    tasks: tuple[Literal["emotion", "gender", "age", "voiceprint"], ...] = (
        "emotion", "gender", "age", "voiceprint",
    )  # fmt: skip
    emotions: tuple[str, ...] = EMOTIONS
    genders: tuple[str, ...] = GENDERS
    age_bands: tuple[str, ...] = AGE_BANDS
    speech_share: float = Field(
        default=0.6, description="least speech output of a step that is surely speech"
    )
    confirm_steps: int = Field(default=4, description="sure steps, of the last ten, that make an utterance")
    minimum_speech: MinimumSpeech = MinimumSpeech()
    minimum_snr: MinimumSnr = MinimumSnr()
    calibration: Calibration = Calibration()
    verification: VerificationThresholds = VerificationThresholds()
    opset: int
    digest: str
    licence: Licence
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)


class StreamingManifest(Manifest):
    """A streaming bundle: steps to statistics that add up, and heads on their sums."""

    kind: Literal["streaming"] = "streaming"
    step_samples: int = 1600
    step_frames: int = 5
    state_size: int
    carried_state: int = Field(description="leading floats of the state that survive an utterance's end")
    statistics_size: int
    pools: dict[str, int] = Field(description="width of each pool, in the order of the statistics")
    variance_floor: float = 1e-4


class WindowManifest(Manifest):
    """A window bundle: one graph from a window's samples to answers, run anew at every hop."""

    kind: Literal["window"] = "window"
    confirm_steps: int = Field(default=2, description="steps of speech that make an utterance")
    window_samples: int = Field(description="samples of a window, a whole number of steps")
    age_years: bool = Field(default=True, description="whether ``age`` is in years, or in bands alone")


def digest(files: Sequence[Path]) -> str:
    """Return the SHA-256 of graph files, in the order of their names."""
    total = hashlib.sha256()
    for file in sorted(files, key=lambda path: path.name):
        total.update(file.name.encode())
        total.update(file.read_bytes())
    return total.hexdigest()

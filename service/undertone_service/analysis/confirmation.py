"""The encoder's last word on what is speech.

VAD and gate let tones, music and noise through for much of their time. Every active step brings the share of its
frames that the encoder calls speech. Noise is now and then taken for speech with doubt, and speech in noise is
doubted too, but speech has sure moments: an utterance counts once some of its steps are surely speech, and then every
step in which speech is likelier than not, while it is so round it. What came before the confirmation counts from then
on, so that a late decision loses nothing.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.sums import Contribution
from undertone_service.bundle.manifest import Manifest
from undertone_service.dsp import FRAME_SAMPLES, SAMPLE_RATE
from undertone_service.dsp.speech import ActiveStep

_FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
_RECENT = 10  # steps over which the share is averaged and sure ones are counted, and that may wait for a confirmation
_LIKELY = 0.5


class SpeechConfirmation:
    """Lets the contributions of confirmed speech through, of one channel."""

    def __init__(self, manifest: Manifest) -> None:
        self.confirmed = False
        """Whether the open utterance is speech."""
        self._sure = manifest.speech_share
        self._steps = manifest.confirm_steps
        self._shares: deque[float] = deque(maxlen=_RECENT)
        self._waiting: deque[Contribution] = deque(maxlen=_RECENT)

    def push(
        self, step: ActiveStep, statistics: NDArray[np.float32], level: float = 0.0
    ) -> list[Contribution]:
        """Hear an encoded step, statistics f32[D], mean of |x|; return the contributions that count from now on."""
        if step.first:
            self.confirmed = False
            self._shares.clear()
            self._waiting.clear()
        frames = float(step.mask.sum())
        share = float(statistics[-1]) / frames
        self._shares.append(share)
        around = sum(self._shares) / len(self._shares) >= _LIKELY
        contribution = Contribution(step.index, statistics, frames * _FRAME_SECONDS, level)
        if self.confirmed:
            return [contribution] if share >= _LIKELY and around else []
        if share >= _LIKELY:
            self._waiting.append(contribution)
        if not around or sum(share >= self._sure for share in self._shares) < self._steps:
            return []
        self.confirmed = True
        released = list(self._waiting)
        self._waiting.clear()
        return released

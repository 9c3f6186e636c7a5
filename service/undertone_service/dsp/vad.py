"""WebRTC voice activity detection on 20 ms frames."""

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from undertone_service.dsp import FRAME_SAMPLES, SAMPLE_RATE


class WebRtcVad:
    """Calls each 20 ms frame speech or not; it remembers the past, so one object serves one channel."""

    def __init__(self, mode: int = 2) -> None:
        self._vad = webrtcvad.Vad(mode)

    def push(self, frames: NDArray[np.float32]) -> list[bool]:
        """Judge frames f32[n, 320] at 16 kHz; return n decisions."""
        pcm = np.clip(np.rint(frames * 32767), -32768, 32767).astype("<i2").tobytes()
        size = FRAME_SAMPLES * 2
        is_speech = self._vad.is_speech
        return [is_speech(pcm[i : i + size], SAMPLE_RATE) for i in range(0, len(pcm), size)]

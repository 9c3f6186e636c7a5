"""How the load is written on the wire, once for all streams: WebSocket frames that only have to be handed to a socket.

Masking and framing 20,000 messages a second in Python would take more of a core than the server under test.
"""

import numpy as np
from numpy.typing import NDArray
from websockets.frames import Frame, Opcode

from undertone_service.dsp import SAMPLE_RATE
from undertone_service.dsp.g711 import alaw_encode, mulaw_encode
from undertone_service.dsp.resample import resample
from undertone_service.protocol.options import AudioFormat, Encoding


def encode(samples: NDArray[np.float32], audio: AudioFormat) -> bytes:
    """Write f32[n] at 16 kHz in a mono format: exactly n / 16000 seconds of it."""
    wanted = len(samples) * audio.sample_rate // SAMPLE_RATE
    converted = resample(samples, SAMPLE_RATE, audio.sample_rate)[:wanted]
    converted = np.pad(converted, (0, wanted - len(converted)))
    if audio.encoding is Encoding.F32LE:
        return converted.astype("<f4").tobytes()
    whole = np.clip(np.rint(converted * 32768), -32768, 32767).astype("<i2")
    if audio.encoding is Encoding.MULAW:
        return mulaw_encode(whole).tobytes()
    if audio.encoding is Encoding.ALAW:
        return alaw_encode(whole).tobytes()
    return whole.tobytes()


def framed(audio: bytes, size: int) -> list[bytes]:
    """Cut audio into binary WebSocket frames of ``size`` bytes each, masked as a client's have to be."""
    parts = (audio[start : start + size] for start in range(0, len(audio), size))
    return [Frame(Opcode.BINARY, part).serialize(mask=True) for part in parts]

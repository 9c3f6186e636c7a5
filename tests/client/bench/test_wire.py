"""What is put on the wire is what the service reads off it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.protocol import State
from websockets.server import ServerProtocol

from tests.voices import voice
from undertone_client.bench.wire import encode, framed
from undertone_service.dsp.decoder import Decoder
from undertone_service.dsp.resample import resample
from undertone_service.protocol.options import Encoding, StreamOptions

SAMPLES = voice(1.0)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("rate", [8000, 16000])
def test_every_format_is_decoded_to_the_same_sound(encoding: Encoding, rate: int) -> None:
    options = StreamOptions(sample_rate=rate, encoding=encoding)
    audio = encode(SAMPLES, options)
    assert len(audio) == options.bytes_per_second
    decoded = Decoder(options).push(audio)[:, 0]
    wanted = resample(SAMPLES, 16000, rate)[: len(decoded)]
    tolerance = 0.02 if encoding in (Encoding.MULAW, Encoding.ALAW) else 1e-4
    np.testing.assert_allclose(decoded, wanted, atol=tolerance)


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 700))
def test_a_server_reads_the_frames(audio: bytes, size: int) -> None:
    server = ServerProtocol(state=State.OPEN)
    frames = framed(audio, size)
    server.receive_data(b"".join(frames))
    events = server.events_received()
    assert all(isinstance(event, Frame) and event.fin for event in events)
    assert b"".join(bytes(event.data) for event in events if isinstance(event, Frame)) == audio
    assert len(events) == len(frames) == -(-len(audio) // size)

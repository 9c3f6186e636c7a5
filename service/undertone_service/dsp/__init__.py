"""Signal blocks: G.711, decoding, resampling, VAD, gate and speech mask.

A leaf: every package may import it, so that training hears exactly what serving will. Each block takes
settings in its constructor and samples in ``push``; none knows of sockets, time of day or other blocks.
"""

SAMPLE_RATE = 16000
FRAME_SAMPLES = 320
FRAMES_PER_STEP = 5
STEP_SAMPLES = FRAME_SAMPLES * FRAMES_PER_STEP

"""Published systems, one teaching file each: waveform f32[B, N] in, a dictionary of task outputs out.

Every network is built from ``(settings, classes)``, and where it stands on another network, from that as well. It
has ``window_samples``, the N of its bundle, and answers with the tasks that ``heads.Classes`` asks for.
"""

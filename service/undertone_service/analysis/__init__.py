"""From steps to answers: windows, calibration, verification, one channel, one session. Nothing here knows sockets."""

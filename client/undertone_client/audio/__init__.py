"""Sources of audio: blocks of s16le samples, interleaved where there are two channels."""

BLOCK_SECONDS = 0.02

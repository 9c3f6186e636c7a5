"""Voices that talk at once, taken apart by what several microphones heard of them.

Independent component analysis (FastICA, Hyvärinen 1999) undoes a mixture that is instant: each channel a weighted sum
of the voices, as from a mixing desk or microphones close together. Echoes and long ways between microphones are
mixtures of another kind, of which it takes apart little.
"""

import io
import warnings
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from undertone_service.protocol.errors import ErrorCode, UndertoneError

_SWEEPS = 1000
_LEAST_SHARE = 1e-6  # of the loudest direction's power, in each of the directions that hold a voice


def separate(samples: NDArray[np.float32], voices: int | None = None) -> NDArray[np.float32]:
    """Return f32[n, voices], as loud each as the channels f32[n, channels] on average; as many voices as channels.

    Raises:
        UndertoneError: ``unsupported_audio`` for a single channel, more voices than channels, or channels that do not
            differ enough; ``bad_request`` where scikit-learn is not installed.
    """
    channels = samples.shape[1]
    wanted = channels if voices is None else voices
    if channels < 2 or not 2 <= wanted <= channels:
        raise UndertoneError(
            ErrorCode.UNSUPPORTED_AUDIO,
            f"{wanted} voice(s) cannot be taken out of {channels} channel(s).",
            "Give a recording of at least two microphones, and at most as many voices as it has channels.",
        )
    try:
        from sklearn.decomposition import FastICA
        from sklearn.exceptions import ConvergenceWarning
    except ImportError:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, "Separation needs scikit-learn.", "Run: pip install 'undertone[separate]'."
        ) from None
    _check_mixture(samples, wanted)
    ica = FastICA(n_components=wanted, whiten="unit-variance", max_iter=_SWEEPS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            found = ica.fit_transform(samples.astype(np.float64))
        except ConvergenceWarning:
            raise UndertoneError(
                ErrorCode.UNSUPPORTED_AUDIO,
                "No voices that are independent of each other were found.",
                "Give a longer recording, with the voices louder in one microphone than in another.",
            ) from None
    level = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
    return np.asarray(np.clip(found * level, -1, 1), np.float32)


def _check_mixture(samples: NDArray[np.float32], voices: int) -> None:
    """Refuse channels that say the same."""
    same = len(samples) <= samples.shape[1]
    if not same:
        centred = samples.astype(np.float64) - samples.mean(axis=0)
        powers = np.linalg.eigvalsh(centred.T @ centred)[::-1]
        same = not powers[voices - 1] > _LEAST_SHARE * powers[0]
    if same:
        raise UndertoneError(
            ErrorCode.UNSUPPORTED_AUDIO,
            f"The channels do not differ enough to hold {voices} mixtures.",
            "Give a recording of several microphones, not one copied into several channels.",
        )


def separate_file(path: Path, voices: int | None = None) -> list[bytes]:
    """Return each voice of a file as the bytes of a wav file, at the file's rate.

    Raises:
        UndertoneError: as ``separate``, and ``bad_audio`` for what is no audio.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise UndertoneError(
            ErrorCode.BAD_AUDIO,
            f"{path} cannot be read as audio ({str(error).rstrip('.')}).",
            "Name a wav, flac, ogg, opus or mp3 file.",
        ) from None
    if not np.isfinite(samples).all():
        raise UndertoneError(
            ErrorCode.BAD_AUDIO,
            f"{path} holds samples that are not numbers.",
            "Write the file again with samples in [-1, 1].",
        )
    return [_wav(voice, rate) for voice in separate(samples, voices).T]


def _wav(samples: NDArray[np.float32], rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()

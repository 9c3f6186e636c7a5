"""When to answer nothing: the least speech, and the noise, at which answers are still right as often as they say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LENGTHS = (0.5, 1.0, 1.5)
"""Net seconds that are tried; all below 2, so that whoever spoke for two seconds has an answer."""
OVERSTATED = 0.05
"""Most by which the mean confidence of answers may exceed the part of them that is right."""
ANSWERED = 0.9
"""Least part of the noisy answers, over two seconds and more, that the bound on noise may leave."""
HIGHEST_SNR = 10.0
"""A voice this many dB above the noise is answered: quieter places are not to be had everywhere."""
_LONG = 2.0
_BIN_DB = 3.0
_FEWEST = 30  # answers in a bin that say something


@dataclass(frozen=True, slots=True)
class Judged:
    """How sure an answer claims to be, and whether it is right; ``length`` and ``snr_db`` as in a ``Passage``."""

    said: float
    right: bool
    speech: float
    length: float | None
    snr_db: float | None


def least_speech(answers: Sequence[Judged]) -> float:
    """Return the shortest of ``LENGTHS`` from which on no length overstates; the longest where all do."""
    least = LENGTHS[-1]
    for length in reversed(LENGTHS):
        if _overstated([answer for answer in answers if answer.length == length]) > OVERSTATED:
            break
        least = length
    return least


def least_snr(answers: Sequence[Judged]) -> float | None:
    """Return the least SNR in whole dB from which on no 3 dB overstate; None where no noise was known.

    Never below the noisiest that was heard: what lies there is unknown. Never above what ``ANSWERED`` and
    ``HIGHEST_SNR`` allow.
    """
    known = [(answer.snr_db, answer) for answer in answers if answer.snr_db is not None]
    long = [snr_db for snr_db, answer in known if answer.speech >= _LONG]
    if not long:
        return None
    highest = int(np.floor(min(np.quantile(long, 1 - ANSWERED), HIGHEST_SNR)))
    lowest = min(int(np.ceil(min(snr_db for snr_db, _ in known))), highest)
    for bound in range(highest, lowest - 1, -1):
        around = [answer for snr_db, answer in known if bound <= snr_db < bound + _BIN_DB]
        if len(around) >= _FEWEST and _overstated(around) > OVERSTATED:
            return float(min(bound + 1, highest))
    return float(lowest)


def _overstated(answers: Sequence[Judged]) -> float:
    if not answers:
        return 0.0
    return float(np.mean([a.said for a in answers]) - np.mean([a.right for a in answers]))

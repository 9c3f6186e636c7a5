"""What corpora and noises may be used for: one table, which training, export and the cards read.

Each licence is as the corpus's owners state it. Where a licence is unknown or unclear, it allows nothing commercial.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from undertone_models.data.clips import Clip
from undertone_models.data.noise import Noise


@dataclass(frozen=True, slots=True)
class Terms:
    """A corpus's licence. ``share_alike``: what is made from it is passed on under the same terms."""

    licence: str
    commercial: bool
    language: str
    share_alike: bool = False


TERMS: dict[str, Terms] = {
    "commonvoice": Terms("CC0", True, "many"),
    "commonvoice_fa": Terms("CC0", True, "fa"),
    "commonvoice_tw": Terms("CC0", True, "tw"),
    "crema_d": Terms("ODbL 1.0 + DbCL", True, "en", share_alike=True),
    "dspspeech20": Terms("MIT", True, "zh, en"),
    "emodb": Terms("free for research", False, "de"),
    "fsdd": Terms("CC BY-SA 4.0", True, "en", share_alike=True),
    "librispeech": Terms("CC BY 4.0", True, "en"),
    "nemo": Terms("CC BY-NC-SA 4.0", False, "pl", share_alike=True),
    "ravdess": Terms("CC BY-NC-SA 4.0", False, "en", share_alike=True),
    "saa": Terms("CC BY-NC-SA", False, "en", share_alike=True),
    "savee": Terms("research only", False, "en"),
    "speechcommands": Terms("CC BY 4.0", True, "en"),
    "tess": Terms("CC BY-NC-ND 4.0", False, "en"),
    "timit": Terms("LDC user agreement", False, "en"),
    "vctk": Terms("CC BY 4.0", True, "en"),
    # The licence is that of the lists of videos: the audio belongs to whoever uploaded them.
    "voxceleb": Terms("CC BY 4.0 (metadata only)", False, "many"),
    "wuw2_telephone": Terms("CC BY-SA 4.0", True, "en", share_alike=True),
}
"""Terms of each corpus, by the name that its clips carry."""

_UNKNOWN = Terms("unknown: see its source", False, "unknown")
_FREE_NOISE = re.compile(r"(?:[\w -]+:? )?(?:CC0(?: 1\.0)?|CC BY(?:-SA)? \d\.\d|MIT|Apache-2\.0)")
_DEFERS = re.compile(r"\b(?:see|partly)\b")


def terms(corpus: str) -> Terms:
    """Return a corpus's terms; a corpus that nobody entered here allows nothing commercial."""
    return TERMS.get(corpus, _UNKNOWN)


def commercial_clips(clips: Iterable[Clip]) -> list[Clip]:
    """Return the clips whose corpus allows commercial use."""
    return [clip for clip in clips if terms(clip.corpus).commercial]


def commercial_noises(noises: Iterable[Noise]) -> list[Noise]:
    """Return the noises and room responses whose stated licence allows commercial use."""
    return [noise for noise in noises if allows_commerce(noise.licence)]


def allows_commerce(licence: str) -> bool:
    """Whether a noise's licence, in the words of its table, plainly allows commercial use.

    Remarks in brackets do not count. One that is unknown, or sends the reader elsewhere, does not allow it.
    """
    stated = re.sub(r"\([^)]*\)", "", licence).strip()
    return bool(_FREE_NOISE.fullmatch(stated)) and not _DEFERS.search(stated)

"""The voice on a channel: all of it since it last changed, what is claimed of it, and whether it changes."""

from collections.abc import Awaitable, Callable

import numpy as np
from numpy.typing import NDArray

from undertone_service.analysis.sums import Contribution, SpeechSum
from undertone_service.analysis.verification import Verifier, identify, same_voice
from undertone_service.bundle.manifest import Manifest
from undertone_service.protocol.messages import Identity, Speaker
from undertone_service.store.voices import Gallery

_CHANGE_LOOKS = 3  # hops in a row at which the recent voice must differ from the earlier one
_CHANGE_SPEECH = 1.5  # net seconds that both must have


class VoiceTrack:
    """Keeps the sums that verification and identification rest on.

    ``verifier`` holds the claim, ``gallery`` is asked when voices are to be identified; both may be set and
    dropped at any time. ``prior`` is that of the voice being enrolled at all.
    """

    def __init__(self, manifest: Manifest, statistics_size: int, prior: float) -> None:
        self.verifier: Verifier | None = None
        self.gallery: Callable[[], Awaitable[Gallery]] | None = None
        self.changes = 0
        self._manifest = manifest
        self._prior = prior
        self.total = SpeechSum(statistics_size)
        """All speech since the voice last changed; the channel adds to it."""
        self._past = SpeechSum(statistics_size)  # what has left the window
        self._differing = 0

    def leave(self, contribution: Contribution) -> None:
        """Take in what has left the window."""
        self._past.add(contribution.statistics, contribution.speech)

    def earlier(self, window: SpeechSum) -> SpeechSum | None:
        """Return what the window's voice is to be compared with; None with too little speech, or no voiceprints."""
        enough = min(window.speech, self._past.speech) >= _CHANGE_SPEECH
        return self._past if enough and "voiceprint" in self._manifest.tasks else None

    def claimed(self) -> SpeechSum | None:
        """Return what verification and identification look at; None where not asked for, or too little speech."""
        asked = self.verifier is not None or self.gallery is not None
        return self.total if asked and self.total.speech >= self._manifest.minimum_speech.voiceprint else None

    def changed(
        self, window: SpeechSum, recent: NDArray[np.float32], earlier: NDArray[np.float32]
    ) -> float | None:
        """Compare the window's voiceprint f32[V] with the earlier one.

        Returns the cosine where the voice has changed: it then begins anew with the window. Else None.
        """
        score, same = same_voice(recent, earlier, min(window.speech, self._past.speech), self._manifest)
        self._differing = 0 if same else self._differing + 1
        if self._differing < _CHANGE_LOOKS:
            return None
        self.total, self._past, self._differing = window, SpeechSum(window.size), 0
        self.changes += 1
        if self.verifier:
            self.verifier.restart()
        return score

    async def who(self, voiceprint: NDArray[np.float32] | None) -> tuple[Speaker | None, Identity | None]:
        """Verify and identify the voiceprint f32[V] of ``claimed``, as far as asked for."""
        if voiceprint is None:
            return None, None
        speech = self.total.speech
        speaker = self.verifier.look(voiceprint, speech) if self.verifier else None
        if self.gallery is None:
            return speaker, None
        return speaker, identify(await self.gallery(), voiceprint, speech, self._manifest, self._prior)

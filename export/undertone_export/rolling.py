"""Rolling verification over all speakers of some corpora: enrolled with two clips, tried with the others."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_export.looks import Look, Outcome, decide, watch
from undertone_export.recordings import answer_sums, join_voices, sum_recordings
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.manifest import Manifest

ENROLMENTS = 2
IMPOSTORS = 20


@dataclass(frozen=True)
class Session:
    """One session against one claim."""

    corpus: str
    speaker: str
    claimed: str
    looks: list[Look]

    @property
    def genuine(self) -> bool:
        """Whether the claim is true."""
        return self.speaker == self.claimed


@dataclass(frozen=True)
class RollingTrial:
    """All sessions, and the voiceprints f32[V] that are claimed."""

    sessions: list[Session]
    claims: Mapping[str, NDArray[np.float32]]

    def outcomes(self, manifest: Manifest) -> list[tuple[Session, Outcome]]:
        """Decide every session with a manifest's calibration and thresholds."""
        return [(s, decide(s.looks, self.claims[s.claimed], manifest)) for s in self.sessions]


def stage(
    bundle: Bundle, clips: Sequence[Clip], cache: AudioCache, *, shortest: float, joined: bool = False
) -> RollingTrial:
    """Enrol each speaker with the first two clips and run the others, at least ``shortest`` seconds long.

    Impostors share corpus and sex with the claimed speaker, up to ``IMPOSTORS`` a session, drawn with a fixed seed.
    With ``joined``, a speaker's other clips are played as one session.
    """
    speakers = by_speaker(clips)
    enrolled = {s: own[:ENROLMENTS] for s, own in speakers.items() if len(own) > ENROLMENTS}
    claims = enrol(bundle, enrolled, cache)
    probes: list[tuple[Clip, NDArray[np.float32]]] = []
    for speaker in claims:
        own = speakers[speaker][ENROLMENTS:]
        audio = [cache[clip.path] for clip in own]
        if joined:
            own, audio = own[:1], [np.concatenate(audio)]
        probes += [(c, a) for c, a in zip(own, audio, strict=True) if len(a) >= shortest * 16000]
    looks = watch(bundle, (audio for _, audio in probes), len(probes))
    random = np.random.default_rng(0)
    sessions = []
    for (clip, _), seen in zip(probes, looks, strict=True):
        sessions.append(Session(clip.corpus, clip.speaker, clip.speaker, seen))
        others = [s for s in claims if s != clip.speaker and _alike(enrolled[s][0], clip)]
        chosen = random.permutation(others)[:IMPOSTORS]
        sessions += [Session(clip.corpus, clip.speaker, str(other), seen) for other in chosen]
    return RollingTrial(sessions, claims)


def by_speaker(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Return each speaker's clips, in the order of their paths."""
    speakers: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: str(clip.path)):
        speakers[clip.speaker].append(clip)
    return speakers


def enrol(
    bundle: Bundle, enrolled: Mapping[str, Sequence[Clip]], cache: AudioCache
) -> dict[str, NDArray[np.float32]]:
    """Return the voiceprint f32[V] of each speaker's clips, joined; who has no speech in them is left out."""
    clips = [(speaker, clip) for speaker, own in enrolled.items() for clip in own]
    recordings = (cache[clip.path] for _, clip in clips)
    sums = list(track(sum_recordings(bundle, recordings), "Enrolling voices", total=len(clips)))
    heard: dict[str, list[tuple[float, NDArray[np.float32]]]] = defaultdict(list)
    for (speaker, _), total, outputs in zip(clips, sums, answer_sums(bundle, sums), strict=True):
        if outputs is not None:
            heard[speaker].append((total.speech, outputs.voiceprint))
    voices = {speaker: join_voices(parts) for speaker, parts in heard.items()}
    return {speaker: voice for speaker, voice in voices.items() if voice is not None}


def _alike(one: Clip, other: Clip) -> bool:
    return one.corpus == other.corpus and one.sex == other.sex

"""Rolling verification over all speakers of some corpora: enrolled with two clips, tried with the others."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertone_export.looks import Look, Outcome, decide, watch
from undertone_export.recordings import answer_sums, join_voices, sum_recordings
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_service.bundle.manifest import Manifest
from undertone_service.bundle.streaming import Bundle

ENROLMENTS = 2
IMPOSTORS = 5


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

    Impostors share corpus and sex with the claimed speaker, five to a session, drawn with a fixed seed. With
    ``joined``, a speaker's other clips are played as one session.
    """
    speakers: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: str(clip.path)):
        speakers[clip.speaker].append(clip)
    enrolled = {s: own[:ENROLMENTS] for s, own in speakers.items() if len(own) > ENROLMENTS}
    voices = {s: _enrol(bundle, [cache[c.path] for c in own]) for s, own in enrolled.items()}
    claims = {s: voice for s, voice in voices.items() if voice is not None}
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


def report(trial: RollingTrial, manifest: Manifest) -> list[dict[str, object]]:
    """Return a row for each corpus and kind of claim: outcomes in per cent, seconds to the first decision."""
    groups: dict[tuple[str, bool], list[Outcome]] = defaultdict(list)
    for session, outcome in trial.outcomes(manifest):
        for corpus in (session.corpus, "all"):
            groups[corpus, session.genuine].append(outcome)
    rows: list[dict[str, object]] = []
    for (corpus, genuine), outcomes in sorted(
        groups.items(), key=lambda item: (item[0][0] == "all", *item[0])
    ):
        seconds = [o.decided_after for o in outcomes if o.decided_after is not None]
        rows.append(
            {
                "corpus": corpus,
                "claim": "true" if genuine else "false, same sex",
                "sessions": len(outcomes),
                **{
                    f"ends {d} %": _share(o.final == d for o in outcomes)
                    for d in ("accepted", "rejected", "undecided")
                },
                "ever accepted %": _share("accepted" in o.ever for o in outcomes),
                "median s to a decision": round(float(np.median(seconds)), 1) if seconds else None,
            }
        )
    return rows


def _share(answers: Iterable[bool]) -> float:
    values = list(answers)
    return round(100 * sum(values) / max(len(values), 1), 1)


def _alike(one: Clip, other: Clip) -> bool:
    return one.corpus == other.corpus and one.sex == other.sex


def _enrol(bundle: Bundle, recordings: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    sums = list(sum_recordings(bundle, recordings))
    outputs = answer_sums(bundle, sums)
    return join_voices((s.speech, o.voiceprint) for s, o in zip(sums, outputs, strict=True) if o is not None)

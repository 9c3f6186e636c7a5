"""What counts as speech, live: sounds that are none, speech, and speech in noise; and the rule that is fitted to them.

Everything goes through the service's own ``Channel``. What the encoder says of each step is kept on the way, so that
another rule of confirmation can be tried on it without encoding anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_export.evaluation.conditions import Conditions, conditioned
from undertone_export.listening import Listened, Samples, listen
from undertone_models.data.audio import UnreadableAudio, load_audio
from undertone_models.data.clips import Clip
from undertone_models.data.noise import read_noises
from undertone_models.data.tables import read_table
from undertone_models.training.synthetic_noise import dtmf, fax, music, ringback, white_noise
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.manifest import Manifest
from undertone_service.dsp import FRAME_SAMPLES, SAMPLE_RATE
from undertone_service.protocol.errors import ErrorCode, UndertoneError

_T = TypeVar("_T")

FALSE_SPEECH, LOST_IN_NOISE, LOST_CLEAN = 0.05, 0.10, 0.03
"""What is allowed: share of time of a kind of sound that is none, share of speech at 5 dB, share of a clean clip."""
SNR_DB = 5.0
CLIPS, SECONDS = 24, 8.0
_MAKERS = {"DTMF": dtmf, "ringback": ringback, "hold music": music, "fax": fax, "white noise": white_noise}
_NOISE_SPLITS = {"valid": "train", "test": "test"}  # the table has none for `valid`
_SEEDS = {"valid": 2**40, "test": 2**41}  # training draws from pairs of its seed and the number of a batch
_RECORDED, _SPOKEN = 72, 25  # recordings of a kind, and clips of a corpus, at most
_FEWEST = 12  # recordings of a kind that the rule is fitted to: a handful is one place, or one cock
_SHARES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99)
_STEPS = range(2, 7)  # a single step may be chance


@dataclass(frozen=True)
class Material:
    """Sounds that are no speech, by kind; clips of speech, and the same clips in noise at 5 dB."""

    sounds: Mapping[str, Sequence[Listened]]
    clean: Sequence[Listened]
    noisy: Sequence[Listened]

    def false_speech(self, manifest: Manifest) -> dict[str, float]:
        """Return the share of time that counts as speech, 0 to 1, of each kind of sound."""
        return {
            kind: sum(int(one.counted(manifest).sum()) for one in some)
            * FRAME_SAMPLES
            / SAMPLE_RATE
            / sum(one.seconds for one in some)
            for kind, some in self.sounds.items()
        }

    def lost(self, manifest: Manifest) -> float:
        """Return the share of the clean clips' frames of speech that do not count in noise, 0 to 1."""
        kept = _kept(self.clean, (one.counted(manifest) for one in self.noisy))
        return 1 - sum(kept) / _whole(self.clean)

    def lost_of_a_clip(self, manifest: Manifest) -> float:
        """Return the share of a clean clip's frames of speech that do not count, the mean over clips, 0 to 1."""
        kept = _kept(self.clean, (one.counted(manifest) for one in self.clean))
        lost = [1 - n / one.let_through().sum() for n, one in zip(kept, self.clean, strict=True)]
        return float(np.mean(lost))


def gather(bundle: Bundle, clips: Sequence[Clip], noise_table: Path, split: str) -> Material:
    """Let a channel hear the material of a split (``valid`` or ``test``).

    There are no noises of ``valid``: those of ``train`` take their place, beside sounds of other seeds than training's.

    Raises:
        UndertoneError: ``bad_request`` where there is no noise or no speech of the split.
    """
    sounds: dict[str, list[Samples]] = defaultdict(list)
    for number, (kind, make) in enumerate(_MAKERS.items()):
        for clip in range(CLIPS):
            sounds[kind].append(make(SECONDS, np.random.default_rng((_SEEDS[split], number, clip))))
    recorded = read_sounds(noise_table, _NOISE_SPLITS[split])
    noises = Conditions(noises=[one for some in recorded.values() for one in some], snr_db=SNR_DB)
    spoken = list(_spoken(choose_clips(clips, split), noises))
    known = {kind: listen(bundle, some, kind) for kind, some in (sounds | recorded).items()}
    clean = listen(bundle, [one for one, _ in spoken], "speech")
    noisy = listen(bundle, [one for _, one in spoken], "speech in noise")
    heard = [(one, other) for one, other in zip(clean, noisy, strict=True) if one.let_through().any()]
    if not heard:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"No speech was found in the split `{split}`.",
            "Give --data that has some.",
        )
    return Material(known, [one for one, _ in heard], [other for _, other in heard])


def _spoken(clips: Iterable[Clip], noises: Conditions) -> Iterator[tuple[Samples, Samples]]:
    """Yield clips f32[n], clean and in noise; those that hold no sound are left out."""
    for clip in clips:
        with suppress(UnreadableAudio):
            yield (
                conditioned(clip.path, Conditions(), probe=True),
                conditioned(clip.path, noises, probe=True),
            )


def read_sounds(table: Path, split: str) -> dict[str, list[Samples]]:
    """Read the noises f32[n] at 16 kHz of a split by what they are, at most 72 of a kind, drawn with a fixed seed.

    Raises:
        UndertoneError: ``bad_request`` where there is none, or one cannot be used.
    """
    rows = read_table(table, required=("path", "type"))
    what = {table.parent / row["path"]: row.get("what", "") for row in rows if row["type"] == "noise"}
    paths: dict[str, list[Path]] = defaultdict(list)
    for noise in read_noises(table):
        if (noise.kind, noise.split) == ("noise", split):
            paths[what[noise.path] or "noise"].append(noise.path)
    if not paths:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{table} has no noise in the split {split!r}.",
            "Give a table with some: rows of the type 'noise'.",
        )
    try:
        return {kind: [load_audio(path) for path in _some(some, _RECORDED)] for kind, some in paths.items()}
    except UnreadableAudio as error:
        raise UndertoneError(ErrorCode.BAD_REQUEST, f"{error}.", "Mend the file, or its row.") from None


def choose_clips(clips: Iterable[Clip], split: str) -> list[Clip]:
    """Return at most 25 clips of each corpus, drawn with a fixed seed.

    Raises:
        UndertoneError: ``bad_request`` where the split has none.
    """
    corpora: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: str(clip.path)):
        if clip.split == split:
            corpora[clip.corpus].append(clip)
    if not corpora:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"The split `{split}` has no clip.", "Give --data that has some."
        )
    return [clip for some in corpora.values() for clip in _some(some, _SPOKEN)]


def fit_confirmation(material: Material, manifest: Manifest) -> Manifest:
    """Return the manifest with the rule of confirmation that stays farthest within what is allowed.

    Tried are 2 to 6 steps that are surely speech, and what is sure from 0.5 to 0.99. Each of three errors (false speech
    of the worst kind of sound, of those with a dozen recordings; speech lost in noise; clean speech lost, clip by clip,
    so that one-word answers count) is taken as a part of what is allowed; the rule whose worst part is least is
    chosen, of equal ones that of the fewest steps.
    """
    candidates = [
        manifest.model_copy(update={"confirm_steps": steps, "speech_share": share})
        for steps, share in product(_STEPS, _SHARES)
    ]
    return min(
        track(candidates, "Fitting the confirmation", transient=True), key=lambda one: _worst(material, one)
    )


def report(material: Material, manifest: Manifest) -> list[dict[str, object]]:
    """Return a row for each kind of sound, and for speech in noise and without: shares in per cent."""
    rows: list[dict[str, object]] = []
    for kind, some in material.sounds.items():
        seconds = sum(one.seconds for one in some)
        speech = sum(one.speech for one in some)
        passed = sum(int(one.let_through().sum()) for one in some) * FRAME_SAMPLES / SAMPLE_RATE
        rows.append(_row(kind, some, passed / seconds, speech / seconds, f"≤ {_percent(FALSE_SPEECH):g}"))
    passed = sum(_kept(material.clean, (one.let_through() for one in material.noisy))) / _whole(
        material.clean
    )
    kept = sum(_kept(material.clean, (one.counted(manifest) for one in material.clean))) / _whole(
        material.clean
    )
    wanted = [f"≥ {_percent(1 - lost):g}" for lost in (LOST_IN_NOISE, LOST_CLEAN)]
    rows.append(
        _row(f"speech at {SNR_DB:g} dB", material.noisy, passed, 1 - material.lost(manifest), wanted[0])
    )
    rows.append(_row("speech, clean", material.clean, 1.0, kept, wanted[1]))
    return rows


def _kept(clean: Sequence[Listened], counted: Iterable[NDArray[np.bool_]]) -> list[int]:
    """Return how many of each clean clip's frames of speech count."""
    return [int((one.let_through() & frames).sum()) for one, frames in zip(clean, counted, strict=True)]


def _whole(clean: Sequence[Listened]) -> int:
    return sum(int(one.let_through().sum()) for one in clean)


def _row(
    sound: str, some: Sequence[Listened], passed: float, counted: float, wanted: str
) -> dict[str, object]:
    return {
        "sound": sound,
        "recordings": len(some),
        "seconds": round(sum(one.seconds for one in some)),
        "VAD and gate %": _percent(passed),
        "counts as speech %": _percent(counted),
        "target %": wanted,
        "without an utterance": sum(not one.speech for one in some),
    }


def _percent(share: float) -> float:
    return round(100 * float(share), 1)


def _worst(material: Material, manifest: Manifest) -> float:
    sounds = material.false_speech(manifest)
    false_speech = max(sounds[kind] for kind, some in material.sounds.items() if len(some) >= _FEWEST)
    lost = (material.lost(manifest) / LOST_IN_NOISE, material.lost_of_a_clip(manifest) / LOST_CLEAN)
    return max(false_speech / FALSE_SPEECH, *lost)


def _some(of: Sequence[_T], most: int) -> list[_T]:
    order = np.random.default_rng(0).permutation(len(of))[:most]
    return [of[index] for index in sorted(order)]

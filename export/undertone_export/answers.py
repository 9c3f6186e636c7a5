"""Emotion, gender and age made honest: what is said of them, and when nothing is, fitted on the valid split."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from undertone_export.abstention import LENGTHS, Judged, least_snr, least_speech
from undertone_export.age_interval import COVERED, Aged, fit_age
from undertone_export.calibrate import lacking
from undertone_export.confidence import Choice, Temperature, fit_temperature
from undertone_export.passages import Passage, listen
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.training.augment import cut
from undertone_service.analysis import estimates
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.manifest import Calibration, Manifest, MinimumSnr
from undertone_service.dsp import SAMPLE_RATE

_FITTED = (1.0, 2.0, 3.0)  # net seconds, and the whole
_SNR_DB = (0.0, 25.0)
_LEAD_IN = 5.5  # seconds of noise alone: the service knows a channel's noise after five

Heard = Sequence[tuple[Clip, Passage]]


@dataclass(frozen=True)
class Material:
    """Clips of the valid split, decoded, and noises f32[n] of the train split (none: no bound on noise is fitted).

    ``unsure_gender`` names corpora whose sex labels are not to be trusted.
    """

    clips: Sequence[Clip]
    cache: AudioCache
    noises: Sequence[NDArray[np.float32]]
    unsure_gender: Sequence[str]


def fit_answers(bundle: Bundle, material: Material) -> Manifest:
    """Return the manifest with calibrated answers and the bounds on speech and noise below which there are none.

    Passages of 1, 2 and 3 net seconds and whole clips are fitted to, each weighing the same; speakers weigh the
    same for age.

    Raises:
        UndertoneError: ``bad_request`` where a task has no label to fit to.
    """
    labelled = [clip for clip in material.clips if clip.emotion or clip.sex or clip.age is not None]
    clean = _hear(bundle, labelled, (material.cache[clip.path] for clip in labelled), "Valid clips")
    fitted = [(clip, p) for clip, p in clean if p.length is None or p.length in _FITTED]
    manifest = bundle.manifest.model_copy(
        update={"calibration": _calibration(bundle.manifest, fitted, material.unsure_gender)}
    )
    noisy: Heard = []
    if material.noises:
        noisy = _hear(bundle, labelled, _disturbed(labelled, material), "Valid clips in noise", lengths=())
    emotion, gender, age = (
        _bounds([judged for clip, p in [*clean, *noisy] if (judged := judge(manifest, clip, p)) is not None])
        for judge in (_judge_emotion, _sure_gender(material.unsure_gender), _judge_age)
    )
    speech = manifest.minimum_speech.model_copy(
        update={"emotion": emotion[0], "gender": gender[0], "age": age[0]}
    )
    snr = MinimumSnr(emotion=emotion[1], gender=gender[1], age=age[1])
    return manifest.model_copy(update={"minimum_speech": speech, "minimum_snr": snr})


def _hear(
    bundle: Bundle,
    clips: Sequence[Clip],
    recordings: Iterator[NDArray[np.float32]],
    title: str,
    lengths: Sequence[float] = tuple(sorted({*LENGTHS, *_FITTED})),
) -> list[tuple[Clip, Passage]]:
    heard = zip(clips, listen(bundle, recordings, lengths), strict=True)
    return [(clip, p) for clip, passages in track(heard, title, total=len(clips)) for p in passages]


def _disturbed(clips: Sequence[Clip], material: Material) -> Iterator[NDArray[np.float32]]:
    """Give each clip a noise at a random SNR, that was there before it; the same ones each time."""
    for number, clip in enumerate(clips):
        random = np.random.default_rng(number)
        samples = material.cache[clip.path]
        noise = material.noises[int(random.integers(len(material.noises)))]
        yield in_noise(samples, cut(noise, len(samples) + int(_LEAD_IN * SAMPLE_RATE), random), random)


def in_noise(
    samples: NDArray[np.float32], noise: NDArray[np.float32], random: np.random.Generator
) -> NDArray[np.float32]:
    """Return f32[m]: noise f32[m], with speech f32[n] at its end at a random SNR."""
    power = float(np.mean(noise.astype(np.float64) ** 2))
    wanted = float(np.mean(samples.astype(np.float64) ** 2)) / 10 ** (random.uniform(*_SNR_DB) / 10)
    mixed = noise * np.float32(np.sqrt(wanted / max(power, 1e-12)))
    mixed[len(mixed) - len(samples) :] += samples
    return np.asarray(np.clip(mixed, -1, 1), np.float32)


def _calibration(manifest: Manifest, heard: Heard, unsure_gender: Sequence[str]) -> Calibration:
    speech_range = manifest.calibration.speech_range
    emotions, genders = manifest.emotions, manifest.genders
    tasks = manifest.tasks
    emotional = [
        Choice(p.outputs.emotion, p.speech, emotions.index(clip.emotion))
        for clip, p in heard
        if clip.emotion in emotions
    ]
    gendered = [
        Choice(p.outputs.gender, p.speech, genders.index(clip.sex))
        for clip, p in heard
        if clip.sex in genders and clip.corpus not in unsure_gender
    ]
    aged = [
        Aged(clip.speaker, clip.age, p.outputs.age, p.speech) for clip, p in heard if clip.age is not None
    ]
    years = "age" in tasks and not all(math.isnan(one.output) for one in aged)
    wanted = (
        ("emotion", emotional, "emotion" in tasks),
        ("sex", gendered, "gender" in tasks),
        ("age in years", aged, "age" in tasks),
    )
    for name, known, needed in wanted:
        if needed and not known:
            raise lacking(f"a clip of known {name}, with speech in it")
    fitted: dict[str, float] = {}
    if "emotion" in tasks:
        fitted |= _temperature("emotion", fit_temperature(emotional, speech_range))
    if "gender" in tasks:
        fitted |= _temperature("gender", fit_temperature(gendered, speech_range))
    if years:
        fitted |= asdict(fit_age(aged, speech_range))
    return manifest.calibration.model_copy(update=fitted)


def _temperature(task: str, fitted: Temperature) -> dict[str, float]:
    return {f"{task}_temperature": fitted.at_one_second, f"{task}_temperature_per_log": fitted.per_log}


def _bounds(answers: Sequence[Judged]) -> tuple[float, float | None]:
    clean = [answer for answer in answers if answer.length is not None]
    return least_speech(clean), least_snr(answers)


def _judge_emotion(manifest: Manifest, clip: Clip, passage: Passage) -> Judged | None:
    if "emotion" not in manifest.tasks or clip.emotion not in manifest.emotions:
        return None
    answer = estimates.emotion(manifest, passage.outputs, passage.speech)
    return _judged(answer.confidence, answer.label == clip.emotion, passage)


def _sure_gender(unsure: Sequence[str]) -> Callable[[Manifest, Clip, Passage], Judged | None]:
    def judge(manifest: Manifest, clip: Clip, passage: Passage) -> Judged | None:
        if "gender" not in manifest.tasks or clip.sex not in manifest.genders or clip.corpus in unsure:
            return None
        answer = estimates.gender(manifest, passage.outputs, passage.speech)
        return _judged(answer.confidence, answer.label == clip.sex, passage)

    return judge


def _judge_age(manifest: Manifest, clip: Clip, passage: Passage) -> Judged | None:
    if "age" not in manifest.tasks or clip.age is None or math.isnan(passage.outputs.age):
        return None
    answer = estimates.age(manifest, passage.outputs, passage.speech)
    assert answer.low is not None
    assert answer.high is not None
    return _judged(COVERED, answer.low <= clip.age <= answer.high, passage)


def _judged(said: float, right: bool, passage: Passage) -> Judged:
    return Judged(said, right, passage.speech, passage.length, passage.snr_db)

"""A bundle through labelled clips and trials: everything heard once, then measured."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from undertone_export.evaluation.abstention import measure_answered, measure_risk
from undertone_export.evaluation.answers import Answered
from undertone_export.evaluation.by_seconds import measure_clips_by_seconds, measure_trials_by_seconds
from undertone_export.evaluation.conditions import Conditions, Excerpt
from undertone_export.evaluation.hearing import Hearing
from undertone_export.evaluation.reliability import measure_reliability
from undertone_export.evaluation.report import Counts, Evaluation, Skipped
from undertone_export.evaluation.slices import measure_slices
from undertone_export.evaluation.tasks import measure_age, measure_emotion, measure_gender
from undertone_export.evaluation.verification import (
    LENGTHS,
    Scored,
    excerpts,
    measure_verification,
    refuse_missing,
    score_trials,
    speakers_by_path,
)
from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.trials import Trial
from undertone_service.bundle.bundle import Bundle
from undertone_service.bundle.manifest import Manifest
from undertone_service.protocol.errors import ErrorCode, UndertoneError


@dataclass(frozen=True, slots=True)
class Material:
    """What is measured on: clips of all splits, what was rejected of them, trials, and what the audio goes through."""

    clips: Sequence[Clip]
    rejected: Sequence[Rejected]
    trials: Sequence[Trial]
    conditions: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The report, and the single answers that plots are drawn from."""

    report: Evaluation
    answered: Sequence[Answered]
    scored: Mapping[int | None, Sequence[Scored]]


def evaluate(bundle: Bundle, material: Material, split: str, command: str) -> Evaluated:
    """Measure a bundle on one split; ``command`` is what to type to do it again.

    Raises:
        UndertoneError: ``bad_request`` where there is nothing to measure on.
    """
    in_split = [clip for clip in material.clips if clip.split == split]
    clips = [clip for clip in (_answerable(bundle.manifest, c) for c in in_split) if _labelled(clip)]
    _check(clips, material.trials, split)
    hearing = Hearing(material.conditions)
    hearing.listen(bundle, [*(Excerpt(clip.path) for clip in clips), *excerpts(material.trials)])
    answered = [
        Answered(clip, hearing[Excerpt(clip.path)], hearing.detected(Excerpt(clip.path))) for clip in clips
    ]
    counts = Counts(
        clips=len(clips),
        speakers=len({one.speaker for one in answered}),
        trials=len(material.trials),
        clips_without_speech=sum(one.heard is None for one in answered),
        skipped_rows=_by_reason(material.rejected),
        unusable=_by_reason(hearing.unusable),
        skipped_labels=_by_reason(_unmeasured(bundle.manifest, in_split)),
    )
    return _measure(bundle.manifest, material, answered, hearing, counts, split, command)


def _measure(
    manifest: Manifest, material: Material, answered: Sequence[Answered], hearing: Hearing, counts: Counts,
    split: str, command: str,
) -> Evaluated:  # fmt: skip
    scored = {length: score_trials(material.trials, hearing, length) for length in LENGTHS}
    speakers = speakers_by_path(material.clips)
    training = [clip for clip in material.clips if clip.split == "train"]
    report = Evaluation(
        command=command,
        bundle=manifest.name,
        digest=manifest.digest,
        split=split,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        conditions=material.conditions.names,
        counts=counts,
        gender=tuple(measure_gender(manifest, answered)),
        age=tuple(measure_age(manifest, answered, training)),
        emotion=tuple(measure_emotion(manifest, answered, material.clips)),
        verification=tuple(measure_verification(scored, speakers)),
        seconds=(
            *measure_clips_by_seconds(manifest, answered, material.clips),
            *measure_trials_by_seconds(material.trials, hearing, speakers),
        ),
        slices=tuple(measure_slices(manifest, answered, scored[None], material.clips)),
        reliability=tuple(measure_reliability(manifest, answered, scored)),
        risk=measure_risk(manifest, answered),
        answered=tuple(measure_answered(manifest, answered)),
    )
    return Evaluated(report, answered, scored)


def _answerable(manifest: Manifest, clip: Clip) -> Clip:
    """Return the clip without the labels of tasks that the bundle lacks: nothing is measured of them."""
    return replace(
        clip,
        sex=clip.sex if "gender" in manifest.tasks else None,
        age=clip.age if "age" in manifest.tasks else None,
        emotion=clip.emotion if "emotion" in manifest.tasks else None,
    )


def _labelled(clip: Clip) -> bool:
    return any(label is not None for label in (clip.sex, clip.age, clip.emotion))


def _unmeasured(manifest: Manifest, clips: Iterable[Clip]) -> Iterator[Rejected]:
    """Yield the tasks that clips say nothing of, or nothing that the bundle could answer."""
    for clip in clips:
        path = str(clip.path)
        if clip.sex is None:
            yield Rejected(path, "gender: not stated")
        if clip.age is None:
            yield Rejected(path, "age in years: not stated")
        if clip.emotion is None:
            yield Rejected(path, "emotion: not stated")
        elif clip.emotion not in manifest.emotions:
            yield Rejected(path, f"emotion: the bundle does not know {clip.emotion!r}")


def _check(clips: Sequence[Clip], trials: Sequence[Trial], split: str) -> None:
    if not clips and not trials:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"The data has no labelled clip in the split {split!r}.",
            "Give clips with a sex, age or emotion in that split, or a list of trials.",
        )
    refuse_missing(trials)


def _by_reason(rejected: Iterable[Rejected]) -> tuple[Skipped, ...]:
    paths: dict[str, list[str]] = defaultdict(list)
    for fault in rejected:
        paths[fault.reason].append(fault.path)
    return tuple(
        Skipped(reason=reason, count=len(some), example=os.path.relpath(some[0]) if some[0] else "")
        for reason, some in sorted(paths.items())
    )

"""A bundle through labelled clips and trials: everything heard once, then measured."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from undertone_export.evaluation.hearing import Excerpt, Hearing
from undertone_export.evaluation.report import Counts, Evaluation, Skipped
from undertone_export.evaluation.tasks import Answered, measure_age, measure_emotion, measure_gender
from undertone_export.evaluation.verification import (
    LENGTHS,
    Scored,
    excerpts,
    measure_verification,
    missing_files,
    score_trials,
)
from undertone_models.data.clips import Clip, Rejected
from undertone_models.data.trials import Trial
from undertone_service.bundle.streaming import Bundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError


@dataclass(frozen=True, slots=True)
class Material:
    """What is measured on: clips of all splits, what was rejected of them, and trials."""

    clips: Sequence[Clip]
    rejected: Sequence[Rejected]
    trials: Sequence[Trial]


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
    clips = [clip for clip in material.clips if clip.split == split and _labelled(clip)]
    _check(clips, material.trials, split)
    hearing = Hearing()
    hearing.listen(bundle, [*(Excerpt(clip.path) for clip in clips), *excerpts(material.trials)])
    answered = [Answered(clip, hearing[Excerpt(clip.path)]) for clip in clips]
    scored = {length: score_trials(material.trials, hearing, length) for length in LENGTHS}
    manifest = bundle.manifest
    training = [clip for clip in material.clips if clip.split == "train"]
    report = Evaluation(
        command=command,
        bundle=manifest.name,
        digest=manifest.digest,
        split=split,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        counts=Counts(
            clips=len(clips),
            speakers=len({one.speaker for one in answered}),
            trials=len(material.trials),
            clips_without_speech=sum(one.heard is None for one in answered),
            skipped_rows=_by_reason(material.rejected),
            unusable=_by_reason(hearing.unusable),
        ),
        gender=tuple(measure_gender(manifest, answered)),
        age=tuple(measure_age(manifest, answered, training)),
        emotion=tuple(measure_emotion(manifest, answered, material.clips)),
        verification=tuple(measure_verification(scored, material.clips)),
    )
    return Evaluated(report, answered, scored)


def _labelled(clip: Clip) -> bool:
    return any(label is not None for label in (clip.sex, clip.age, clip.emotion))


def _check(clips: Sequence[Clip], trials: Sequence[Trial], split: str) -> None:
    if not clips and not trials:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"The data has no labelled clip in the split {split!r}.",
            "Give clips with a sex, age or emotion in that split, or a list of trials.",
        )
    if missing := missing_files(trials):
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{len(missing)} recordings that the trials name are not there, such as {missing[0]}.",
            "Paths in a list of trials are relative to the list's own folder.",
        )


def _by_reason(rejected: Iterable[Rejected]) -> tuple[Skipped, ...]:
    paths: dict[str, list[str]] = defaultdict(list)
    for fault in rejected:
        paths[fault.reason].append(fault.path)
    return tuple(
        Skipped(reason=reason, count=len(some), example=os.path.relpath(some[0]) if some[0] else "")
        for reason, some in sorted(paths.items())
    )

"""Fairness: the same measures for each sex, age decade, language and corpus."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from undertone_export.evaluation.answers import (
    UNSURE_SEX,
    Answered,
    Value,
    average,
    classes_of,
    emotion_right,
    gender_right,
    with_age,
    with_emotion,
    with_sex,
    years_off,
)
from undertone_export.evaluation.by_seconds import FEWEST
from undertone_export.evaluation.report import ALL, Figure, Slice
from undertone_export.evaluation.verification import HEADLINE, Scored, error_rate, in_kind, speakers_by_path
from undertone_models.data.clips import Clip
from undertone_service.bundle.manifest import Manifest
from undertone_service.protocol.labels import AGE_BANDS, GENDERS, age_band

Group = Callable[[Clip], str | None]


def _sex(clip: Clip) -> str | None:
    return None if clip.corpus in UNSURE_SEX else clip.sex


def _decade(clip: Clip) -> str | None:
    return clip.age_band if clip.age is None else age_band(clip.age)


_GROUPS: tuple[tuple[Literal["sex", "age", "language", "corpus"], Group], ...] = (
    ("sex", _sex),
    ("age", _decade),
    ("language", lambda clip: clip.language),
    ("corpus", lambda clip: clip.corpus),
)
_ORDER = (*GENDERS, *AGE_BANDS)


def measure_slices(
    manifest: Manifest, answered: Sequence[Answered], scored: Iterable[Scored], labelled: Sequence[Clip]
) -> list[Slice]:
    """Return a slice for each group of the answered clips.

    ``scored`` are whole probes; each belongs to the group of its clip among ``labelled``.
    """
    speakers = speakers_by_path(labelled)
    clips = {os.path.abspath(clip.path): clip for clip in labelled}
    probes = [
        (clip, one)
        for one in scored
        if in_kind(one.trial, ALL, HEADLINE) and (clip := clips.get(os.path.abspath(one.trial.probe)))
    ]
    right = emotion_right(manifest, classes_of(manifest, labelled))
    slices = []
    for by, group in _GROUPS:
        for name in sorted({name for one in answered if (name := group(one.clip))}, key=_place):
            own = [one for one in answered if group(one.clip) == name]
            slices.append(
                Slice(
                    by=by,
                    group=name,
                    speakers=len({one.speaker for one in own}),
                    clips=len(own),
                    gender=_average(with_sex(own), gender_right(manifest)),
                    age=_average(with_age(own), years_off(manifest)),
                    emotion=_average(with_emotion(manifest, own), right),
                    verification=_error_rate([s for clip, s in probes if group(clip) == name], speakers),
                )
            )
    return slices


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _average(answered: Sequence[Answered], value: Value) -> Figure | None:
    return average(answered, value) if answered else None


def _error_rate(scored: Sequence[Scored], speakers: Mapping[str, str]) -> Figure | None:
    enough = sum(one.trial.target for one in scored) >= FEWEST
    return error_rate(scored, speakers) if enough else None

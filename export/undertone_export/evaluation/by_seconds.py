"""How good answers are after the first seconds of speech, beside the same clips heard in full."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from undertone_export.evaluation.answers import (
    Answered,
    Value,
    average,
    by_corpus,
    classes_of,
    emotion_right,
    gender_right,
    with_age,
    with_emotion,
    with_sex,
    years_off,
)
from undertone_export.evaluation.hearing import FIRST_SECONDS, Hearing
from undertone_export.evaluation.measures import equal_error_rate
from undertone_export.evaluation.report import ALL, Measured, SecondsMeasure
from undertone_export.evaluation.verification import (
    HEADLINE,
    arrays,
    error_rate,
    in_kind,
    score_first_seconds,
)
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_service.bundle.manifest import Manifest

FEWEST = 20
"""Fewer clips than that (or trials of the same speaker) say nothing."""


def measure_clips_by_seconds(
    manifest: Manifest, answered: Sequence[Answered], labelled: Iterable[Clip]
) -> list[SecondsMeasure]:
    """Return gender over all corpora, age and emotion corpus by corpus; those with few clips are left out."""
    groups: list[tuple[Measured, str, list[Answered], Value]] = [
        ("gender", ALL, with_sex(answered), gender_right(manifest))
    ]
    for corpus, clips in by_corpus(with_age(answered)).items():
        groups.append(("age", corpus, clips, years_off(manifest)))
    right = emotion_right(manifest, classes_of(manifest, labelled))
    for corpus, clips in by_corpus(with_emotion(manifest, answered)).items():
        groups.append(("emotion", corpus, clips, right))
    measures = []
    for task, corpus, clips, value in groups:
        for seconds in FIRST_SECONDS:
            pairs = [(first, one) for one in clips if (first := one.after(seconds))]
            if len(pairs) >= FEWEST:
                measures.append(
                    SecondsMeasure(
                        task=task,
                        corpus=corpus,
                        seconds=seconds,
                        clips=len(pairs),
                        first=average([first for first, _ in pairs], value),
                        whole=float(np.mean([value(one) for _, one in pairs])),
                    )
                )
    return measures


def measure_trials_by_seconds(
    trials: Iterable[Trial], hearing: Hearing, speakers: Mapping[str, str]
) -> list[SecondsMeasure]:
    """Return equal error rates on the headline's trials."""
    counted = [trial for trial in trials if in_kind(trial, ALL, HEADLINE)]
    measures = []
    for seconds in FIRST_SECONDS:
        first, whole = score_first_seconds(counted, hearing, seconds)
        rate = error_rate(first, speakers)
        if rate is not None and sum(one.trial.target for one in first) >= FEWEST:
            measures.append(
                SecondsMeasure(
                    task="verification",
                    corpus=ALL,
                    seconds=seconds,
                    clips=len(first),
                    first=rate,
                    whole=equal_error_rate(*arrays(whole), np.ones(len(whole))),
                )
            )
    return measures

"""Emotion, gender and age against answers that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.export.evaluation_answers import heard, manifest
from undertone_export.evaluation.answers import Answered
from undertone_export.evaluation.hearing import Heard
from undertone_export.evaluation.tasks import measure_age, measure_emotion, measure_gender
from undertone_models.data.clips import Clip


def answered(corpus: str, speaker: str, answer: Heard | None, **labels: object) -> Answered:
    return Answered(Clip(Path(f"{speaker}.wav"), corpus, speaker, **labels), answer)  # type: ignore[arg-type]


def test_gender_counts_silence_as_an_error_and_joins_two_corpora() -> None:
    measures = measure_gender(
        manifest(),
        [
            answered("saa", "a", heard(gender="female"), sex="female"),
            answered("saa", "b", None, sex="male"),
            answered("librispeech", "c", heard(gender="male"), sex="male"),
            answered("librispeech", "d", heard(gender="male"), sex="male"),
            answered("wuw2_telephone", "e", heard(gender="male"), sex="female"),
            answered("ravdess", "f", heard(), emotion="calm"),
        ],
    )
    by_corpus = {measure.corpus: measure for measure in measures}
    assert list(by_corpus) == ["saa+librispeech", "librispeech", "saa", "wuw2_telephone"]
    assert by_corpus["saa+librispeech"].accuracy.value == 0.75
    assert by_corpus["saa+librispeech"].speakers == 4
    assert by_corpus["saa"].accuracy.value == 0.5
    assert by_corpus["saa"].unanswered == 1
    assert [measure.corpus for measure in measures if measure.unsure] == ["wuw2_telephone"]


def test_age_is_off_by_the_farthest_guess_where_nothing_was_heard() -> None:
    training = [Clip(Path("t"), "saa", "t", age=years) for years in (20.0, 30.0, 70.0)]
    (measure,) = measure_age(
        manifest(),
        [
            answered("saa", "a", heard(age=44.0), age=40.0),
            answered("saa", "b", heard(age=90.0), age=40.0),
            answered("saa", "c", None, age=25.0),
        ],
        training,
    )
    assert measure.error.value == pytest.approx((4 + 50 + 65) / 3)
    assert measure.guess == 30.0
    assert measure.guessing_error == pytest.approx((10 + 10 + 5) / 3)
    assert measure.covered == pytest.approx(1 / 3)  # 44 - 8 to 44 + 12; what is unanswered covers nothing


def test_age_without_training_clips_has_no_guess() -> None:
    (measure,) = measure_age(manifest(), [answered("saa", "a", heard(), age=40.0)], [])
    assert measure.guess is None
    assert measure.guessing_error is None


def test_emotion_is_answered_among_the_corpus_own_classes() -> None:
    labelled = [
        Clip(Path(name), "acted", "x", emotion=name) for name in ("sadness", "anger", "neutral", "fear")
    ]
    (measure,) = measure_emotion(
        manifest(),
        [
            # Calm is likelier, but this corpus has none.
            answered("acted", "a", heard(emotion={"calm": 0.6, "neutral": 0.3}), emotion="neutral"),
            answered("acted", "a", heard(emotion={"anger": 0.9}), emotion="anger"),
            answered("acted", "b", heard(emotion={"sadness": 0.9}), emotion="anger"),
            answered("acted", "b", None, emotion="sadness"),
        ],
        labelled,
    )
    assert measure.classes == ("neutral", "sadness", "anger", "fear")
    assert measure.confusion == ((1, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 1, 1, 0, 0), (0, 0, 0, 0, 0))
    assert measure.accuracy.value == 0.5
    assert measure.recall.value == pytest.approx((1 + 0 + 0.5) / 3)
    assert measure.free_accuracy.value == 0.25
    assert measure.unanswered == 1


def test_an_emotion_that_the_bundle_does_not_know_is_not_measured() -> None:
    small = manifest().model_copy(update={"emotions": ("neutral", "calm", "happiness")})
    outputs = heard().outputs
    neutral = Heard(replace(outputs, emotion=np.array([0.8, 0.1, 0.1], np.float32)), speech=1.0)
    clips = [
        answered("acted", "a", neutral, emotion="neutral"),
        answered("acted", "a", neutral, emotion="boredom"),
    ]
    (measure,) = measure_emotion(small, clips, [one.clip for one in clips])
    assert measure.classes == ("neutral",)
    assert measure.clips == 1
    assert measure.accuracy.value == 1.0


def test_clips_of_unknown_speakers_stand_for_themselves() -> None:
    clips = [
        Answered(Clip(Path(f"{i}.wav"), "own", "", sex="female"), heard(gender="female")) for i in range(3)
    ]
    (measure,) = measure_gender(manifest(), clips)
    assert measure.speakers == 3

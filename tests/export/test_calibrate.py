"""The calibration of voices recovers what is known."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.small_corpus import cache_in, valid_trials, write_clips
from tests.tiny_bundle import NAME
from undertone_export import calibrate
from undertone_export.calibrate import fit_voice, score_trials
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_service.analysis.verification import log_likelihood_ratio
from undertone_service.bundle.manifest import VoiceCalibration
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> StreamingBundle:
    return StreamingBundle(bundle_folder / NAME)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Clip], list[Trial], AudioCache]]:
    folder = tmp_path_factory.mktemp("corpus")
    clips = write_clips(folder)
    with cache_in(folder / "cache"):
        kept = [clip for clip in clips if clip.split == "valid"]
        yield kept, valid_trials(clips), AudioCache.build([clip.path for clip in kept], "valid")


def test_the_fit_of_scores_is_found(monkeypatch: pytest.MonkeyPatch, bundle: StreamingBundle) -> None:
    known = VoiceCalibration(slope=12.0, slope_per_log=3.0, offset=-5.0, offset_per_log=-1.0)
    random = np.random.default_rng(0)
    scores, speech = (
        random.uniform(-0.2, 1.0, 30_000),
        np.exp(random.uniform(math.log(0.7), math.log(15), 30_000)),
    )
    ratios = np.array(
        [log_likelihood_ratio(a, b, known) for a, b in zip(scores, speech, strict=True)]
    )  # fmt: skip
    target = random.random(len(ratios)) < 1 / (1 + np.exp(-ratios))
    monkeypatch.setattr(calibrate, "score_trials", lambda *_: (scores, speech, target))
    found = fit_voice(bundle, [], AudioCache(np.zeros(0, np.int16), {}))
    # Both kinds weigh the same, whatever their numbers: the offset moves by the logarithm of their odds.
    odds = math.log(target.sum() / (~target).sum())
    assert found.slope == pytest.approx(known.slope, rel=0.05)
    assert found.slope_per_log == pytest.approx(known.slope_per_log, abs=0.4)
    assert found.offset + odds == pytest.approx(known.offset, abs=0.25)
    assert found.offset_per_log == pytest.approx(known.offset_per_log, abs=0.3)


def test_trials_are_scored_at_every_length_that_they_have(
    bundle: StreamingBundle, valid: tuple[list[Clip], list[Trial], AudioCache]
) -> None:
    _, trials, cache = valid
    scores, speech, target = score_trials(bundle, trials, cache)
    assert len(scores) == len(speech) == len(target) == 2 * len(trials) == 32  # whole, and a cut of 1 s
    assert target.sum() == 8
    assert (np.abs(scores) <= 1 + 1e-6).all()
    whole, cut = speech[::2], speech[1::2]
    assert (cut < 1.2).all()
    assert (whole > 2).all()
    gone = Trial((Path("nowhere.wav"),), trials[0].probe, True, "x", "saa", 3.0, {1: None, 3: None, 5: None})
    assert len(score_trials(bundle, [gone], cache)[0]) == 0


def test_the_fit_needs_trials_of_both_kinds(
    bundle: StreamingBundle, valid: tuple[list[Clip], list[Trial], AudioCache]
) -> None:
    _, trials, cache = valid
    for kept in ([], [trial for trial in trials if trial.target]):
        with pytest.raises(UndertoneError) as refused:
            fit_voice(bundle, kept, cache)
        assert refused.value.code is ErrorCode.BAD_REQUEST

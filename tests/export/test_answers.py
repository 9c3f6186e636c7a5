"""Passages are what the service would have known, and answers are calibrated on the valid split."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.small_corpus import cache_in, write_clips
from tests.tiny_bundle import NAME
from tests.voices import conversation, silence, voice
from undertone_export.answers import Material, fit_answers, in_noise
from undertone_export.passages import listen
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_service.analysis.channel import Channel, ChannelSettings
from undertone_service.bundle.streaming import StreamingBundle
from undertone_service.engine import DirectRunner
from undertone_service.protocol.errors import ErrorCode, UndertoneError
from undertone_service.protocol.labels import Role, Task
from undertone_service.protocol.messages import ChannelSummary


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> StreamingBundle:
    return StreamingBundle(bundle_folder / NAME)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Clip], AudioCache]]:
    folder = tmp_path_factory.mktemp("corpus")
    with cache_in(folder / "cache"):
        kept = [clip for clip in write_clips(folder) if clip.split == "valid"]
        yield kept, AudioCache.build([clip.path for clip in kept], "valid")


async def summary(bundle: StreamingBundle, samples: NDArray[np.float32]) -> ChannelSummary:
    settings = ChannelSettings(0, Role.UNKNOWN, 16000, 30, 5, frozenset(Task))
    channel = Channel(settings, bundle, DirectRunner())
    await channel.push(samples)
    await channel.end()
    return await channel.summary(channel.speech)


def test_a_passage_is_what_a_channel_knows_of_it(bundle: StreamingBundle) -> None:
    (passages, nothing) = listen(bundle, [conversation(), silence(3.0)], (1.0, 2.0, 60.0))
    assert nothing == []
    assert [passage.length for passage in passages] == [1.0, 2.0, None]
    assert [passage.speech >= (passage.length or 0) for passage in passages] == [True] * 3
    assert passages[0].speech < 2.0  # steps that are confirmed together may exceed it
    live = asyncio.run(summary(bundle, conversation()))
    assert live.age is not None
    assert passages[-1].speech == pytest.approx(live.speech, abs=0.01)
    assert passages[-1].outputs.age == pytest.approx(live.age.years, abs=0.06)


def test_noise_is_known_after_five_seconds_of_it(bundle: StreamingBundle) -> None:
    random = np.random.default_rng(0)
    noise = random.standard_normal(8 * 16000).astype(np.float32)
    mixed = in_noise(voice(2.5), noise, random)
    assert len(mixed) == len(noise)
    clean, noisy = listen(bundle, [voice(2.5), mixed], ())
    assert clean[-1].snr_db is None
    assert noisy
    assert noisy[-1].snr_db is not None
    assert 0 < noisy[-1].snr_db < 40


def test_everything_is_fitted(bundle: StreamingBundle, valid: tuple[list[Clip], AudioCache]) -> None:
    clips, cache = valid
    noise = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    found = fit_answers(bundle, Material(clips, cache, [noise], ()))
    assert found.calibration.emotion_temperature != 1.0
    assert found.calibration.age_low < found.calibration.age_high
    assert found.minimum_speech.voiceprint == bundle.manifest.minimum_speech.voiceprint
    assert None not in (found.minimum_snr.emotion, found.minimum_snr.gender, found.minimum_snr.age)
    quiet = fit_answers(bundle, Material(clips, cache, [], ()))
    assert quiet.calibration == found.calibration
    assert quiet.minimum_snr == bundle.manifest.minimum_snr


def test_each_task_needs_labels(bundle: StreamingBundle, valid: tuple[list[Clip], AudioCache]) -> None:
    clips, cache = valid
    with pytest.raises(UndertoneError, match="known sex") as refused:
        fit_answers(bundle, Material(clips, cache, [], ("saa",)))
    assert refused.value.code is ErrorCode.BAD_REQUEST

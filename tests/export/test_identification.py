"""Identification among many voices: who is searched where, and the error rates of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small_corpus import cache_in, write_clips
from tests.tiny_bundle import NAME
from undertone_export.identification import Identification, Search, fnir, rank_one, search
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_service.bundle.streaming import StreamingBundle


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Clip]]:
    folder = tmp_path_factory.mktemp("corpus")
    with cache_in(folder / "cache"):
        yield write_clips(folder)


def test_each_probe_is_searched_with_and_without_its_speaker(bundle_folder: Path, clips: list[Clip]) -> None:
    probes, strangers = ([c for c in clips if c.split == split] for split in ("valid", "train"))
    cache = AudioCache.build([clip.path for clip in clips], "identification")
    for size, bystanders in ((5, 3), (1000, 4), (2, 0)):
        found = search(StreamingBundle(bundle_folder / NAME), probes, strangers, cache, size=size)
        assert (found.gallery, found.bystanders) == (2 + bystanders, bystanders)
        assert len(found.searches) == 16  # two clips of four speakers, twice
        for speaker in {clip.speaker for clip in probes}:
            assert [one.mated for one in found.searches if one.speaker == speaker].count(True) == 2
        assert not any(one.right for one in found.searches if not one.mated)


def test_the_error_rates_are_those_of_the_scores() -> None:
    others = [Search(f"o{n}", False, n / 100, False) for n in range(100)]
    mated = [
        Search("a", True, 0.99, True), Search("a", True, 0.985, True), Search("b", True, 0.5, True),
        Search("b", True, 0.999, False),
    ]  # fmt: skip
    found = Identification([*others, *mated], 50, 0)
    assert fnir(found).value == 0.5  # one scores too low, one is taken for another
    assert rank_one(found).value == 0.75

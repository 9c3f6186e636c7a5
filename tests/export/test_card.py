"""The card of a bundle: what it was made of, and what that allows."""

from pathlib import Path

from undertone_export.budget import Budget
from undertone_export.card import LICENCES, commercial, corpora_table, write_card
from undertone_models.data.clips import Clip
from undertone_models.data.corpora import CORPORA
from undertone_service.bundle.manifest import Licence, Manifest

CLIPS = [
    Clip(Path("a"), "ravdess", "ravdess_1", seconds=1800.0),
    Clip(Path("b"), "ravdess", "ravdess_1", seconds=1800.0),
    Clip(Path("c"), "fsdd", "fsdd_1"),
    Clip(Path("d"), "fsdd", "fsdd_2", seconds=360.0),
]


def manifest(**training: object) -> Manifest:
    return Manifest(
        name="small", state_size=4, carried_state=2, statistics_size=3, pools={"emotion": 1}, voiceprint_size=2,
        opset=20, digest="0123abcd", licence=Licence(name="Own", commercial_use=False, notice="Not for sale."),
        training=training,
    )  # fmt: skip


def test_corpora_are_counted() -> None:
    assert corpora_table(CLIPS) == [
        {"corpus": "fsdd", "licence": "CC BY-SA 4.0", "speakers": 2, "clips": 2, "hours": 0.1},
        {"corpus": "ravdess", "licence": "CC BY-NC-SA 4.0", "speakers": 1, "clips": 2, "hours": 1.0},
    ]


def test_one_corpus_for_research_forbids_commerce_and_an_unknown_one_too() -> None:
    assert commercial(CLIPS[2:])
    assert not commercial(CLIPS)
    own = Clip(Path("e"), "own", "own_1")
    assert not commercial([*CLIPS[2:], own])
    assert "unknown" in str(corpora_table([own])[0]["licence"])


def test_no_non_commercial_licence_counts_as_commercial() -> None:
    for licence, allowed in LICENCES.values():
        assert allowed == ("NC" not in licence and "research" not in licence)
    assert LICENCES.keys() & CORPORA.keys(), "corpora go by the same names as their readers"


def test_the_card_tells_what_the_manifest_knows() -> None:
    training = manifest(command="undertone train streaming", steps=7, seed=3, corpora=corpora_table(CLIPS))
    card = write_card(training, Budget(1_234_567, 45_670_000), ("EER 5 %, by `undertone evaluate`.",))
    assert card.startswith("# small\n")
    for said in (
        "1,234,567 parameters", "45.7 million multiply-adds", "`0123abcd`",
        "**Own**", "Not for sale.", "undertone train streaming", "7 steps",
        "seed 3", "| ravdess | CC BY-NC-SA 4.0 | 1 | 2 | 1.0 |", "| fsdd | CC BY-SA 4.0 | 2 | 2 | 0.1 |", "EER 5 %",
        "## Intended use and limits",
    ):  # fmt: skip
        assert said in card

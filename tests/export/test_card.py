"""The card of a bundle: what it was made of, and what that allows."""

from pathlib import Path

from undertone_export.budget import Budget
from undertone_export.card import (
    RESEARCH,
    commercial,
    corpora_table,
    quantised_card,
    weights_licence,
    write_card,
)
from undertone_export.comparison import Comparison
from undertone_models.data.clips import Clip
from undertone_service.bundle.manifest import Licence, Manifest, StreamingManifest

CLIPS = [
    Clip(Path("a"), "ravdess", "ravdess_1", seconds=1800.0),
    Clip(Path("b"), "ravdess", "ravdess_1", seconds=1800.0),
    Clip(Path("c"), "fsdd", "fsdd_1"),
    Clip(Path("d"), "fsdd", "fsdd_2", seconds=360.0),
]
LIBRISPEECH = Clip(Path("f"), "librispeech", "librispeech_1")
BUDGET = Budget(1_234_567, 45_670_000)


def manifest(
    licence: Licence = Licence(name="Own", commercial_use=False, notice="Not for sale."),  # noqa: B008
    tasks: tuple[str, ...] = ("emotion", "gender", "age", "voiceprint"),
    **training: object,
) -> Manifest:
    return StreamingManifest(
        name="small", state_size=4, carried_state=2, statistics_size=3, pools={"emotion": 1}, voiceprint_size=2,
        opset=20, digest="0123abcd", licence=licence, training=training, tasks=tasks,
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


def test_weights_take_the_terms_of_their_corpora() -> None:
    assert weights_licence(CLIPS, taught=False) == RESEARCH
    assert weights_licence([], taught=False) == RESEARCH
    free = weights_licence([LIBRISPEECH], taught=False)
    assert (free.name, free.commercial_use) == ("CC BY 4.0", True)
    assert "librispeech (CC BY 4.0)" in free.notice
    shared = weights_licence([LIBRISPEECH, *CLIPS[2:]], taught=False)
    assert (shared.name, shared.commercial_use) == ("CC BY-SA 4.0", True)
    assert "fsdd (CC BY-SA 4.0), librispeech (CC BY 4.0)" in shared.notice


def test_a_teacher_whose_data_is_not_free_forbids_commerce() -> None:
    assert weights_licence([LIBRISPEECH], taught=True) == RESEARCH


def test_the_card_tells_what_the_manifest_knows() -> None:
    training = manifest(command="undertone train streaming", steps=7, seed=3, corpora=corpora_table(CLIPS))
    card = write_card(training, BUDGET, ("EER 5 %, by `undertone evaluate`.",))
    assert card.startswith("# small\n")
    for said in (
        "1,234,567 parameters", "45.7 million multiply-adds", "`0123abcd`",
        "**Own**", "Not for sale.", "undertone train streaming", "7 steps",
        "seed 3", "| ravdess | CC BY-NC-SA 4.0 | 1 | 2 | 1.0 |", "| fsdd | CC BY-SA 4.0 | 2 | 2 | 0.1 |", "EER 5 %",
        "## Intended use and limits", "No commercial use because of: ravdess.", "Age is an estimate",
    ):  # fmt: skip
        assert said in card
    assert "resemblyzer" not in card
    assert "Left out" not in card


def test_the_card_says_what_is_left_out_and_what_is_shared_alike() -> None:
    clips = [LIBRISPEECH, *CLIPS[2:]]
    free = manifest(
        weights_licence(clips, taught=False), ("gender", "voiceprint"), corpora=corpora_table(clips),
        left_out={"age": "only 3 training speakers"},
    )  # fmt: skip
    card = write_card(free, BUDGET, ())
    assert "Share alike because of: fsdd (CC BY-SA 4.0)." in card
    assert "Left out: age (only 3 training speakers)." in card
    assert "No commercial use" not in card
    assert "Age is an estimate" not in card
    assert "for research" not in card.lower()
    assert "call: gender; a voiceprint for verification." in card


def test_the_card_warns_of_emotion_from_a_single_source() -> None:
    for corpora, warned in ((["crema_d"], True), (["crema_d", "tess"], False)):
        card = write_card(manifest(emotional_corpora=corpora), BUDGET, ())
        assert ("one corpus alone, crema_d" in card) == warned
    silent = manifest(RESEARCH, ("gender", "voiceprint"), emotional_corpora=["crema_d"])
    assert "one corpus alone" not in write_card(silent, BUDGET, ())


def test_the_card_names_the_teacher() -> None:
    assert "`resemblyzer`" in write_card(manifest(RESEARCH, taught=True), BUDGET, ())


def test_a_quantised_bundle_has_the_card_of_the_other_with_its_own_name_and_what_was_measured() -> None:
    old = manifest(command="undertone train streaming", steps=7, seed=3, corpora=corpora_table(CLIPS))
    new = old.model_copy(update={"name": "small-int8", "digest": "fedc"})
    found = Comparison(0.41, 1.15, 1.2, 99, 0.017, 0.008, 0.32, 0.9993)
    card = quantised_card(write_card(old, BUDGET, ("EER 5 %",)), old, new, found)
    assert card.startswith("# small-int8\n")
    assert "digest `fedc`" in card
    assert "Made of `small` (digest `0123abcd`)" in card
    assert card.index("## In 8 bits") < card.index("## Trained on")
    for said in (
        "0.41 times",
        "1.15 times",
        "1.20 times",
        "99 other",
        "0.017",
        "0.008",
        "0.3 years",
        "0.9993",
        "EER 5 %",
    ):
        assert said in card
    assert "0.41 times" in quantised_card("# small\n", old, new, found)

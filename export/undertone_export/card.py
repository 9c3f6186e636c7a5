"""``CARD.md``: what a bundle is, what it was trained on, what it may be used for, how good it is."""

from collections import Counter
from collections.abc import Sequence

from undertone_export.budget import Budget
from undertone_models.data.clips import Clip
from undertone_service.bundle.manifest import Manifest

LICENCES: dict[str, tuple[str, bool]] = {
    "commonvoice_fa": ("CC0", True),
    "commonvoice_tw": ("CC0", True),
    "crema_d": ("ODbL 1.0 + DbCL", True),
    "dspspeech20": ("MIT", True),
    "emodb": ("free for research", False),
    "fsdd": ("CC BY-SA 4.0", True),
    "librispeech": ("CC BY 4.0", True),
    "nemo": ("CC BY-NC-SA 4.0", False),
    "ravdess": ("CC BY-NC-SA 4.0", False),
    "saa": ("CC BY-NC-SA", False),
    "savee": ("research only", False),
    "speechcommands": ("CC BY 4.0", True),
    "tess": ("CC BY-NC-ND 4.0", False),
    "vctk": ("CC BY 4.0", True),
    "wuw2_telephone": ("CC BY-SA 4.0", True),
}
"""Licence of each corpus, and whether it allows commercial use."""


def corpora_table(clips: Sequence[Clip]) -> list[dict[str, object]]:
    """Return a row for each corpus: licence, speakers, clips, hours."""
    rows = []
    for corpus, count in sorted(Counter(clip.corpus for clip in clips).items()):
        own = [clip for clip in clips if clip.corpus == corpus]
        rows.append(
            {
                "corpus": corpus,
                "licence": LICENCES.get(corpus, ("unknown: see its source", False))[0],
                "speakers": len({clip.speaker for clip in own}),
                "clips": count,
                "hours": round(sum(clip.seconds or 0 for clip in own) / 3600, 2),
            }
        )
    return rows


def commercial(clips: Sequence[Clip]) -> bool:
    """Whether every corpus of these clips allows commercial use."""
    return all(LICENCES.get(corpus, ("", False))[1] for corpus in {clip.corpus for clip in clips})


def write_card(manifest: Manifest, budget: Budget, figures: Sequence[str]) -> str:
    """Return the card as Markdown; ``figures`` are lines on what was measured, with the commands."""
    training = manifest.training
    lines = [
        f"# {manifest.name}",
        "",
        "A streaming bundle of Undertone: hears speech in steps of 100 ms and answers for any window, utterance or "
        "call: emotion (nine labels), gender, age, and a voiceprint for verification.",
        "",
        f"* Kind `{manifest.kind}`, opset {manifest.opset}, digest `{manifest.digest}`.",
        f"* {budget.parameters:,} parameters, {budget.multiply_adds / 1e6:.1f} million multiply-adds a second of "
        "speech (matrix products and convolutions, heads twice a second).",
        f"* Licence of the weights: **{manifest.licence.name}** (see LICENSE). {manifest.licence.notice}",
        f"* Made by: `{training.get('command')}`, {training.get('steps')} steps, seed {training.get('seed')}.",
        "",
        "## Trained on",
        "",
        "| corpus | licence | speakers | clips | hours |",
        "|---|---|---|---|---|",
        *(
            "| {corpus} | {licence} | {speakers} | {clips} | {hours} |".format(**row)
            for row in training.get("corpora", [])
        ),
        "",
        "Only speakers of the `train` split. Crops were disturbed by random equalisation, room responses, noises "
        "(training split), other voices, level, and the 8 kHz µ-law telephone band. No recording is in the bundle.",
        "",
        "## Figures",
        "",
        *figures,
        "",
        "## Intended use and limits",
        "",
        "* For research and for trying Undertone. Emotions were acted, by few people, mostly in English: expect "
        "less on spontaneous speech, other languages and cultures. How somebody sounds is not how somebody feels.",
        "* Gender is the impression of a voice in two classes, as the corpora label it. It says nothing of identity.",
        "* Age is an estimate with an interval meant to hold the true age in 80 % of cases; speakers skew young.",
        "* Verification supports a decision, it does not replace a second factor: it does not detect recordings, "
        "imitation or synthesis, and is weaker across microphones and lines than within one session.",
        "* Not for decisions about people's employment, credit, insurance, policing, or health.",
        "",
    ]
    return "\n".join(lines)

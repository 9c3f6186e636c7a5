"""``CARD.md``: what a bundle is, what it was trained on, what it may be used for, how good it is."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from undertone_export.budget import Budget
from undertone_export.comparison import Comparison
from undertone_models.data.clips import Clip
from undertone_models.data.licences import commercial_clips, terms
from undertone_service.bundle.manifest import Licence, Manifest

RESEARCH = Licence(
    name="Undertone research weights (CC BY-NC-SA 4.0)",
    commercial_use=False,
    notice="These weights were trained on corpora that allow no commercial use: for research only.",
)

_AGE = (
    "* Age is an estimate with an interval meant to hold the true age in 80 % of cases; speakers skew young."
)

_LIMITS = (
    "* Gender is the impression of a voice in two classes, as the corpora label it. It says nothing of identity.",
    "* Verification supports a decision, it does not replace a second factor: it does not detect recordings, "
    "imitation or synthesis, and is weaker across microphones and lines than within one session.",
    "* Not for decisions about people's employment, credit, insurance, policing, or health.",
)


def corpora_table(clips: Sequence[Clip]) -> list[dict[str, object]]:
    """Return a row for each corpus: licence, speakers, clips, hours."""
    rows = []
    for corpus, count in sorted(Counter(clip.corpus for clip in clips).items()):
        own = [clip for clip in clips if clip.corpus == corpus]
        rows.append(
            {
                "corpus": corpus,
                "licence": terms(corpus).licence,
                "speakers": len({clip.speaker for clip in own}),
                "clips": count,
                "hours": round(sum(clip.seconds or 0 for clip in own) / 3600, 2),
            }
        )
    return rows


def commercial(clips: Sequence[Clip]) -> bool:
    """Whether every corpus of these clips allows commercial use."""
    return bool(clips) and len(commercial_clips(clips)) == len(clips)


def weights_licence(clips: Sequence[Clip], *, taught: bool) -> Licence:
    """Return the licence of weights trained on these clips; ``taught`` says that a pretrained teacher helped.

    Commercial only where every corpus allows it and there was no teacher (`undertone train --commercial` says why).
    Whether weights are a work made from their data is unsettled; so where one corpus is under share-alike terms, the
    weights are too.
    """
    corpora = sorted({clip.corpus for clip in clips})
    if taught or not commercial(clips):
        return RESEARCH
    named = ", ".join(f"{corpus} ({terms(corpus).licence})" for corpus in corpora)
    sharing = any(terms(corpus).share_alike for corpus in corpora)
    return Licence(
        name="CC BY-SA 4.0" if sharing else "CC BY 4.0",
        commercial_use=True,
        notice=f"These weights were trained only on corpora that allow commercial use: {named}.",
    )


def write_card(manifest: Manifest, budget: Budget, figures: Sequence[str]) -> str:
    """Return the card as Markdown; ``figures`` are lines on what was measured, with the commands."""
    training = manifest.training
    commercial = manifest.licence.commercial_use
    purpose = "For uses that its licence allows" if commercial else "For research and for trying Undertone"
    noises = " whose licence allows commercial use" if commercial else ""
    lines = [
        f"# {manifest.name}",
        "",
        "A streaming bundle of Undertone: hears speech in steps of 100 ms and answers for any window, utterance or "
        f"call: {_answers(manifest)}.",
        "",
        f"* Kind `{manifest.kind}`, opset {manifest.opset}, digest `{manifest.digest}`.",
        f"* {budget.parameters:,} parameters, {budget.multiply_adds / 1e6:.1f} million multiply-adds a second of "
        "speech (matrix products and convolutions, heads twice a second).",
        f"* Made by: `{training.get('command')}`, {training.get('steps')} steps, seed {training.get('seed')}.",
        "",
        "## Licence, and what it rests on",
        "",
        *_licence_basis(manifest),
        "",
        "## Trained on",
        "",
        *_corpora(manifest),
        "",
        "Only speakers of the `train` split. Crops were disturbed by random equalisation, other voices, level, the "
        f"8 kHz µ-law telephone band, and noises and room responses (training split){noises}. "
        "No recording is in the bundle.",
        "",
        "## Figures",
        "",
        *figures,
        "",
        "## Intended use and limits",
        "",
        f"* {purpose}. Emotions were acted, by few people, mostly in English: expect "
        "less on spontaneous speech, other languages and cultures. How somebody sounds is not how somebody feels.",
        *_one_source(manifest),
        *([_AGE] if "age" in manifest.tasks else []),
        *_LIMITS,
        "",
    ]
    return "\n".join(lines)


def _one_source(manifest: Manifest) -> list[str]:
    """Warn of emotion learnt from one corpus alone."""
    corpora = manifest.training.get("emotional_corpora", [])
    if "emotion" not in manifest.tasks or len(corpora) != 1:
        return []
    return [
        f"* **Emotion was learnt from one corpus alone, {corpora[0]}**: on other voices, rooms and ways of acting "
        "expect hardly more than guessing (models/RESULTS.md)."
    ]


def write_window_card(manifest: Manifest, parameters: int) -> str:
    """Return the card of a window bundle as Markdown."""
    training = manifest.training
    lines = [
        f"# {manifest.name}",
        "",
        f"A window bundle of Undertone, after a published system: {_answers(manifest)}.",
        "",
        f"* Kind `{manifest.kind}`, opset {manifest.opset}, digest `{manifest.digest}`; {parameters:,} parameters.",
        f"* {training.get('source')}",
        f"* Made by: `{training.get('command')}`.",
        "",
        "## Licence, and what it rests on",
        "",
        *_licence_basis(manifest),
        "",
        "## Trained on",
        "",
        *_corpora(manifest),
        "",
        "## Figures",
        "",
        "models/RESULTS.md has them beside the published ones, with protocol, split and command.",
        "",
        "## Intended use and limits",
        "",
        "* To compare and to learn from: the streaming bundle is what Undertone recommends.",
        *_LIMITS,
        *([_AGE] if "age" in manifest.tasks else []),
        "",
    ]
    return "\n".join(lines)


def licence_text(licence: Licence) -> str:
    """Return the licence file of a bundle."""
    return (
        f"{licence.name}\n\n{licence.notice}\n\n"
        "This file covers the weights in this folder, apart from Undertone's code, which is under Apache-2.0.\n"
        "The corpora that the weights were trained on, and their licences, are listed in CARD.md. Whoever uses the\n"
        "weights keeps to the strictest of them: attribution, and where the notice above says so, no commercial use,\n"
        "and works made from the weights are shared under the same terms.\n"
    )


def quantised_card(card: str, old: Manifest, new: Manifest, found: Comparison) -> str:
    """Return the card of a quantised bundle, from that of the bundle that it was made of."""
    card = card.replace(f"# {old.name}\n", f"# {new.name}\n", 1).replace(old.digest, new.digest)
    section = [
        "## In 8 bits",
        "",
        f"Made of `{old.name}` (digest `{old.digest}`) by `undertone quantise`: the matrix products of stem and blocks "
        "in 8 bits with static scales, measured on recordings of the `valid` split; all else as it was. Voiceprints "
        "of the two bundles do not compare.",
        "",
        f"* Size of the graphs: {found.size:.2f} times. Speed of the encoder on one thread of the machine that made "
        f"it: {found.speed_1:.2f} times for one stream, {found.speed_64:.2f} times for 64 together.",
        f"* Over {found.recordings} other recordings of `valid`, answers differ by at most {found.emotion:.3f} "
        f"(an emotion's probability), {found.gender:.3f} (gender's), {found.age:.1f} years; the least cosine of "
        f"voiceprints is {found.voiceprint:.4f}.",
        "",
        "",
    ]
    before, heading, after = card.partition("## Trained on\n")
    return before + "\n".join(section) + heading + after if heading else card + "\n" + "\n".join(section[:-1])


def _corpora(manifest: Manifest) -> list[str]:
    rows = manifest.training.get("corpora", [])
    line = "| {corpus} | {licence} | {speakers} | {clips} | {hours} |"
    return [
        "| corpus | licence | speakers | clips | hours |",
        "|---|---|---|---|---|",
        *(line.format(**row) for row in rows),
    ]


def _answers(manifest: Manifest) -> str:
    words = {
        "emotion": f"emotion ({', '.join(manifest.emotions)})",
        "gender": "gender",
        "age": "age",
        "voiceprint": "a voiceprint for verification",
    }
    return "; ".join(words[task] for task in manifest.tasks)


def _licence_basis(manifest: Manifest) -> list[str]:
    """Say what the weights may be used for, and why."""
    training: dict[str, Any] = manifest.training
    corpora = [str(row["corpus"]) for row in training.get("corpora", [])]
    lines = [f"* The weights: **{manifest.licence.name}** (see LICENSE). {manifest.licence.notice}"]
    if barring := [corpus for corpus in corpora if not terms(corpus).commercial]:
        lines.append(f"* No commercial use because of: {', '.join(barring)}.")
    sharing = [f"{corpus} ({terms(corpus).licence})" for corpus in corpora if terms(corpus).share_alike]
    if sharing and manifest.licence.commercial_use:
        lines.append(
            f"* Share alike because of: {', '.join(sharing)}. Name the corpora, and pass works made from the weights "
            "on under the same terms."
        )
    if training.get("taught"):
        lines.append(
            "* Voices were also learnt from the pretrained `resemblyzer` encoder (Apache-2.0), whose own training "
            "data, VoxCeleb among it, is not free of other people's rights."
        )
    lines += [f"* Left out: {task} ({reason})." for task, reason in training.get("left_out", {}).items()]
    return lines

"""A checkpoint to a bundle, in the order in which it happens: graphs, parity, calibration, card."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from undertone_export.budget import check_budget
from undertone_export.bundle import write_bundle, write_manifest
from undertone_export.calibrate import calibrated, choose_thresholds, fit_answers, fit_voice
from undertone_export.card import commercial, corpora_table, write_card
from undertone_export.parity import HOUR_STEPS, Parity, check_parity
from undertone_export.rolling import stage
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_models.training.loop import load_network, read_checkpoint
from undertone_service.bundle.manifest import Licence, Manifest
from undertone_service.bundle.streaming import Bundle

RESEARCH = Licence(
    name="Undertone research weights (CC BY-NC-SA 4.0)",
    commercial_use=False,
    notice="These weights were trained on corpora that allow no commercial use: for research only.",
)
COMMERCIAL = Licence(
    name="CC BY-SA 4.0",
    commercial_use=True,
    notice="These weights were trained only on corpora that allow commercial use.",
)
_PARITY_CLIPS = 24
_ROLLING_CORPORA = ("saa", "librispeech")


def export(
    checkpoint: Path,
    folder: Path,
    clips: Sequence[Clip],
    trials: Sequence[Trial],
    *,
    command: str,
    errors: tuple[float, float],
    hour_steps: int = HOUR_STEPS,
) -> tuple[Manifest, Parity]:
    """Export a run's averaged network; ``errors`` are the session error rates to choose thresholds for.

    ``hour_steps`` is the length of the parity check's long run, in steps of 100 ms.

    Raises:
        UndertoneError: ``internal`` where bundle and network differ, ``bad_request`` where the split ``valid`` lacks
            what calibration needs; the folder is then left as it was.
    """
    network = load_network(checkpoint)
    budget = check_budget(network)
    saved = read_checkpoint(checkpoint)
    train = [clip for clip in clips if clip.split == "train"]
    valid = [clip for clip in clips if clip.split == "valid"]
    cache = AudioCache.build([clip.path for clip in valid], "valid-speech")
    valid = [clip for clip in valid if clip.path in cache]
    training = {
        "command": command,
        "steps": saved["step"],
        "seed": saved["settings"]["seed"],
        "settings": saved["settings"],
        "corpora": corpora_table(train),
    }
    licence = COMMERCIAL if commercial(train) else RESEARCH
    with tempfile.TemporaryDirectory() as temporary:
        partial = Path(temporary) / folder.name
        manifest = write_bundle(network, partial, name=folder.name, licence=licence, training=training)
        bundle = Bundle(partial)
        random = np.random.default_rng(0)
        chosen = random.choice(len(valid), min(_PARITY_CLIPS, len(valid)), replace=False)
        parity = check_parity(network, bundle, [cache[valid[i].path] for i in chosen], hour_steps)
        unsure = saved["settings"]["unsure_gender"]
        manifest = calibrated(
            manifest, fit_answers(bundle, valid, cache, unsure), fit_voice(bundle, trials, cache)
        )
        # Read speech, as live sessions have it; acted emotions where there is nothing else.
        spoken = [clip for clip in valid if clip.corpus in _ROLLING_CORPORA] or valid
        sessions = stage(bundle, spoken, cache, shortest=3.0)
        thresholds = choose_thresholds(manifest, sessions, false_accept=errors[0], false_reject=errors[1])
        manifest = manifest.model_copy(update={"verification": thresholds})
        write_manifest(manifest, partial)
        (partial / "CARD.md").write_text(write_card(manifest, budget, _FIGURES))
        (partial / "LICENSE").write_text(_licence_text(licence))
        folder.mkdir(parents=True, exist_ok=True)
        for file in partial.iterdir():
            shutil.copy(file, folder / file.name)
    return manifest, parity


_FIGURES = (
    "See models/RESULTS.md: made by `undertone evaluate` on the `test` split, whose speakers were never trained on.",
    "Calibration and thresholds were fitted on the `valid` split; the manifest holds them.",
)


def _licence_text(licence: Licence) -> str:
    return (
        f"{licence.name}\n\n{licence.notice}\n\n"
        "This file covers the weights in this folder, apart from Undertone's code, which is under Apache-2.0.\n"
        "The corpora that the weights were trained on, and their licences, are listed in CARD.md. Whoever uses the\n"
        "weights keeps to the strictest of them: attribution, and where the notice above says so, no commercial use,\n"
        "and works made from the weights are shared under the same terms.\n"
    )

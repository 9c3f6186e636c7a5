"""A checkpoint to a bundle, in the order in which it happens: graphs, parity, calibration, card."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertone_export.answers import Material, fit_answers
from undertone_export.budget import check_budget
from undertone_export.bundle import write_bundle, write_manifest
from undertone_export.calibrate import fit_voice
from undertone_export.card import RESEARCH, corpora_table, licence_text, weights_licence, write_card
from undertone_export.coverage import LEAST_SPEAKERS, coverage, restrict
from undertone_export.nonspeech import fit_confirmation, gather
from undertone_export.parity import HOUR_STEPS, Parity, check_parity
from undertone_export.rolling import stage
from undertone_export.thresholds import choose_thresholds
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.licences import commercial_clips, commercial_noises
from undertone_models.data.noise import Noise
from undertone_models.data.trials import Trial
from undertone_models.training.checkpoints import load_network, read_checkpoint
from undertone_service.bundle.manifest import Manifest
from undertone_service.bundle.streaming import StreamingBundle

_PARITY_CLIPS = 24
_ROLLING_CORPORA = ("saa", "librispeech")


def export(
    checkpoint: Path,
    folder: Path,
    clips: Sequence[Clip],
    trials: Sequence[Trial],
    noises: Sequence[Noise],
    *,
    command: str,
    errors: tuple[float, float],
    noise_table: Path | None = None,
    hour_steps: int = HOUR_STEPS,
    least_speakers: Mapping[str, int] = LEAST_SPEAKERS,
) -> tuple[Manifest, Parity]:
    """Export a run's averaged network; ``errors`` are the session error rates to choose thresholds for.

    Noises of the train split bound the noise that is answered in; with none, there is no bound. Those of
    ``noise_table``, by what they are, say how sure the network must be that it hears speech. ``hour_steps`` is
    the length of the parity check's long run, in steps of 100 ms; tasks with fewer labelled training speakers than
    ``least_speakers`` are left out.

    Raises:
        UndertoneError: ``internal`` where bundle and network differ, ``bad_request`` where the split ``valid`` lacks
            what calibration needs; the folder is then left as it was.
    """
    saved = read_checkpoint(checkpoint)
    commercial = saved["settings"].get("commercial", False)
    if commercial:
        clips, noises = commercial_clips(clips), commercial_noises(noises)
    known = {*saved["speakers"], ""}
    train = [clip for clip in clips if clip.split == "train" and clip.speaker in known]
    unsure = saved["settings"]["unsure_gender"]
    covered = coverage(train, unsure, least_speakers)
    network = restrict(load_network(checkpoint), covered)
    budget = check_budget(network)
    taught = bool(saved["student"]["mean"].any())
    valid = [clip for clip in clips if clip.split == "valid"]
    cache = AudioCache.build([clip.path for clip in valid], "valid-speech")
    valid = [clip for clip in valid if clip.path in cache]
    training = {
        "command": command,
        "steps": saved["step"],
        "seed": saved["settings"]["seed"],
        "settings": saved["settings"],
        "corpora": corpora_table(train),
        "emotional_corpora": sorted({clip.corpus for clip in train if clip.emotion}),
        "taught": taught,
        "left_out": covered.left_out,
    }
    licence = weights_licence(train, taught=taught) if commercial else RESEARCH
    with tempfile.TemporaryDirectory() as temporary:
        partial = Path(temporary) / folder.name
        manifest: Manifest = write_bundle(
            network, partial, name=folder.name, licence=licence, training=training
        )
        manifest = manifest.model_copy(update={"tasks": covered.tasks, "emotions": covered.emotions})
        write_manifest(manifest, partial)
        bundle = StreamingBundle(partial)
        random = np.random.default_rng(0)
        chosen = random.choice(len(valid), min(_PARITY_CLIPS, len(valid)), replace=False)
        parity = check_parity(network, bundle, [cache[valid[i].path] for i in chosen], hour_steps)
        if noise_table:
            manifest = fit_confirmation(gather(bundle, valid, noise_table, "valid"), manifest)
            write_manifest(manifest, partial)
            bundle = StreamingBundle(partial)
        manifest = fit_answers(bundle, Material(valid, cache, _sounds(noises), unsure))
        calibration = manifest.calibration.model_copy(update={"voice": fit_voice(bundle, trials, cache)})
        manifest = manifest.model_copy(update={"calibration": calibration})
        # Read speech, as live sessions have it; acted emotions where there is nothing else.
        spoken = [clip for clip in valid if clip.corpus in _ROLLING_CORPORA] or valid
        sessions = stage(bundle, spoken, cache, shortest=3.0, joined=True)
        thresholds = choose_thresholds(manifest, sessions, false_accept=errors[0], false_reject=errors[1])
        manifest = manifest.model_copy(update={"verification": thresholds})
        write_manifest(manifest, partial)
        (partial / "CARD.md").write_text(write_card(manifest, budget, _FIGURES))
        (partial / "LICENSE").write_text(licence_text(licence))
        folder.mkdir(parents=True, exist_ok=True)
        for file in partial.iterdir():
            shutil.copy(file, folder / file.name)
    return manifest, parity


_FIGURES = (
    "See models/RESULTS.md: made by `undertone evaluate` on the `test` split, whose speakers were never trained on.",
    "Calibration and thresholds were fitted on the `valid` split; the manifest holds them.",
)


def _sounds(noises: Sequence[Noise]) -> list[NDArray[np.float32]]:
    heard = [noise.path for noise in noises if noise.kind == "noise" and noise.split == "train"]
    sounds = AudioCache.build(heard, "train-noise")
    return [sounds[path] for path in heard if path in sounds]

"""The checkpoint of a published system to a window bundle: graph, parity, calibration, card."""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from undertone_export.answers import Material, fit_answers
from undertone_export.bundle import write_manifest
from undertone_export.calibrate import fit_voice
from undertone_export.card import corpora_table, licence_text, weights_licence, write_window_card
from undertone_export.graphs import OPSET
from undertone_export.window_graph import BySex, Served, write_window_graph
from undertone_models.data.audio import AudioCache
from undertone_models.data.clips import Clip
from undertone_models.data.trials import Trial
from undertone_models.windows.checkpoints import (
    load_window_network,
    read_window_checkpoint,
    saved_labels,
    saved_recipe,
)
from undertone_service.bundle.manifest import Manifest, WindowManifest, digest
from undertone_service.bundle.window import GRAPH, WindowBundle
from undertone_service.protocol.errors import ErrorCode, UndertoneError

TOLERANCE = 1e-4
_PARITY_CLIPS = 24


def export_window(
    checkpoints: Sequence[Path], folder: Path, clips: Sequence[Clip], trials: Sequence[Trial], *, command: str
) -> tuple[Manifest, float]:
    """Export a run's best network, or three: for women, for men, and one that tells the sex.

    Returns the manifest, and the largest difference between bundle and network.

    Raises:
        UndertoneError: ``internal`` where they differ by more than 1e-4, ``bad_request`` where the networks do not go
            together, or the split ``valid`` lacks what calibration needs; the folder is then left as it was.
    """
    saved = [read_window_checkpoint(path) for path in checkpoints]
    served = _served(checkpoints, saved)
    speakers = {speaker for one in saved for speaker in one["speakers"]}
    train = [clip for clip in clips if clip.speaker in speakers]
    recipe = saved_recipe(saved[0])
    valid = [clip for clip in clips if clip.split == "valid" and clip.speaker not in speakers]
    cache = AudioCache.build([clip.path for clip in valid], "valid-speech")
    valid = [clip for clip in valid if clip.path in cache]
    licence = weights_licence(train, taught=bool(saved[0]["stand"]))
    with tempfile.TemporaryDirectory() as temporary:
        partial = Path(temporary) / folder.name
        partial.mkdir()
        write_window_graph(served, partial / GRAPH)
        manifest: Manifest = WindowManifest(
            name=folder.name,
            window_samples=served.window_samples,
            age_years="age" in served.names,
            voiceprint_size=_width(served, "voiceprint"),
            tasks=_tasks(served.names),
            emotions=served.emotions,
            age_bands=served.age_bands,
            opset=OPSET,
            digest=digest([partial / GRAPH]),
            licence=licence,
            training={
                "command": command,
                "recipe": saved[0]["recipe"],
                "source": recipe.source,
                "epochs": [one["best_epoch"] for one in saved],
                "corpora": corpora_table(train),
                "stand": saved[0]["stand"],
            },
        )
        write_manifest(manifest, partial)
        bundle = WindowBundle(partial)
        chosen = np.random.default_rng(0).permutation(len(valid))[:_PARITY_CLIPS]
        difference = check_window_parity(served, bundle, [cache[valid[i].path] for i in chosen])
        manifest = fit_answers(bundle, Material(valid, cache, [], ()))
        if "voiceprint" in manifest.tasks and trials:
            voice = fit_voice(bundle, trials, cache)
            calibration = manifest.calibration.model_copy(update={"voice": voice})
            manifest = manifest.model_copy(update={"calibration": calibration})
        write_manifest(manifest, partial)
        parameters = sum(p.numel() for p in served.parameters())
        (partial / "CARD.md").write_text(write_window_card(manifest, parameters))
        (partial / "LICENSE").write_text(licence_text(licence))
        folder.mkdir(parents=True, exist_ok=True)
        for file in partial.iterdir():
            shutil.copy(file, folder / file.name)
    return manifest, difference


@torch.no_grad()
def check_window_parity(
    served: Served | BySex, bundle: WindowBundle, recordings: Sequence[NDArray[np.float32]]
) -> float:
    """Return the largest difference |a - b| / max(1, |b|) over windows of real recordings f32[n], and over silence.

    Raises:
        UndertoneError: ``internal`` where it exceeds 1e-4.
    """
    length = served.window_samples
    worst = 0.0
    for window in track(
        [*_windows(recordings, length), np.zeros(length, np.float32)], "Parity", transient=True
    ):
        got = bundle.listen(window[None])[0]
        wanted = torch.cat([row.reshape(-1) for row in served(torch.from_numpy(window[None]))]).numpy()
        # Not a number must not pass as small.
        worst = float(np.max([worst, np.max(np.abs(got - wanted) / np.maximum(1, np.abs(wanted)))]))
    if not worst <= TOLERANCE:
        raise UndertoneError(
            ErrorCode.INTERNAL,
            f"The exported bundle differs from the network by {worst:.2e}.",
            f"At most {TOLERANCE:g} is allowed; look for an operator that the exporter changed.",
        )
    return worst


def _windows(recordings: Iterable[NDArray[np.float32]], length: int) -> Iterable[NDArray[np.float32]]:
    for samples in recordings:
        part = samples[-length:]
        yield np.concatenate([np.zeros(length - len(part), np.float32), part])


def _served(checkpoints: Sequence[Path], saved: Sequence[dict[str, Any]]) -> Served | BySex:
    try:
        networks = [
            Served(load_window_network(path)[0], saved_labels(one))
            for path, one in zip(checkpoints, saved, strict=True)
        ]
        if len(networks) == 3:
            return BySex(*networks)
    except ValueError as error:
        raise UndertoneError(
            ErrorCode.BAD_REQUEST, f"These networks make no bundle: {error}.", "Give runs that go together."
        ) from None
    return networks[0]


def _tasks(names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys("age" if name == "age_band" else name for name in names))


def _width(served: Served | BySex, name: str) -> int:
    if name not in served.names:
        return 0
    with torch.no_grad():
        return int(served.answers(torch.zeros(1, served.window_samples))[name].shape[1])

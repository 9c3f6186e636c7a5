"""Run a window bundle: a window's samples to answers, and the mean of many windows' answers.

A window's contribution is its answers, weighted: [w, w * answers, 0], where w is its net seconds of speech. So sums of
contributions give the net-speech-weighted mean over an utterance or a call, as sums of statistics do for a streaming
bundle. The last place is what the confirmation of speech reads; a window bundle does not judge that.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertone_service.bundle.bundle import Bundle, Outputs, open_graph, read_manifest
from undertone_service.bundle.manifest import WindowManifest
from undertone_service.dsp import STEP_SAMPLES
from undertone_service.protocol.errors import ErrorCode, UndertoneError

GRAPH = "model.onnx"
_OUTPUTS = ("emotion", "gender", "age", "age_band", "voiceprint")


class WindowBundle(Bundle):
    """An opened window bundle. Its methods are safe to call from several threads."""

    manifest: WindowManifest

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder, WindowManifest, (GRAPH,))
        self._graph = open_graph(folder / GRAPH, threads)
        self._sizes = self._checked_sizes()
        self.fixed_window = self.manifest.window_samples // STEP_SAMPLES

    @property
    def statistics_size(self) -> int:
        """Floats of a window's contribution."""
        return sum(self._sizes.values()) + 2

    def listen(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer for B windows f32[B, N]: f32[B, A], the outputs one beside the other."""
        outputs = self._graph.run(list(self._sizes), {"samples": samples})
        rows = [np.reshape(output, (len(samples), -1)) for output in outputs]
        return np.concatenate(rows, axis=1)

    def contribution(self, answers: NDArray[np.float32], speech: float) -> NDArray[np.float64]:
        """Return f64[D] of a window's answers f32[A] over net seconds of speech."""
        return speech * np.concatenate([[1.0], answers.astype(np.float64), [0.0]])

    def answer(self, sums: NDArray[np.float64]) -> list[Outputs]:
        """Answer for summed contributions f64[B, D], each of at least one window."""
        means = (sums[:, 1:-1] / np.maximum(sums[:, :1], 1e-9)).astype(np.float32)
        return [self._outputs(row) for row in means]

    def answerable(self, statistics: NDArray[np.float64]) -> bool:
        """Whether any window was summed."""
        return bool(statistics[0] > 0)

    def emotion_part(self) -> slice:
        """The whole of a contribution: its weight is that of all answers."""
        return slice(0, self.statistics_size)

    def _outputs(self, row: NDArray[np.float32]) -> Outputs:
        found = dict.fromkeys(_OUTPUTS, np.zeros(0, np.float32))
        start = 0
        for name, size in self._sizes.items():
            found[name] = row[start : start + size]
            start += size
        voiceprint = found["voiceprint"]
        return Outputs(
            emotion=found["emotion"],
            gender=found["gender"],
            age=float(found["age"][0]) if len(found["age"]) else float("nan"),
            voiceprint=voiceprint / max(float(np.linalg.norm(voiceprint)), 1e-12),
            age_band=found["age_band"],
        )

    def _checked_sizes(self) -> dict[str, int]:
        """Return the width of each output of the graph, checked against the manifest.

        Raises:
            UndertoneError: ``unknown_bundle`` where graph and manifest do not fit each other.
        """
        manifest = self.manifest
        ages = {"age": 1} if manifest.age_years else {"age_band": len(manifest.age_bands)}
        sizes = {
            "emotion": {"emotion": len(manifest.emotions)},
            "gender": {"gender": len(manifest.genders)},
            "age": ages,
            "voiceprint": {"voiceprint": manifest.voiceprint_size},
        }
        wanted = {name: size for task in manifest.tasks for name, size in sizes[task].items()}
        (given,) = self._graph.get_inputs()
        found = {output.name: (output.shape[1:] or [1])[0] for output in self._graph.get_outputs()}
        faults = [
            f"its output {name!r} has {found.get(name, 'no')} floats, not {size}"
            for name, size in wanted.items()
            if found.get(name) != size
        ]
        if given.name != "samples" or given.shape[1:] != [manifest.window_samples]:
            faults.append(
                f"its input {given.name!r} is {given.shape}, not samples[batch, {manifest.window_samples}]"
            )
        if manifest.window_samples % STEP_SAMPLES or not manifest.window_samples:
            faults.append(f"{manifest.window_samples} samples are no whole number of steps of {STEP_SAMPLES}")
        if faults:
            raise UndertoneError(
                ErrorCode.UNKNOWN_BUNDLE,
                f"The graph of bundle {manifest.name!r} is not what its manifest says: {'; '.join(faults)}.",
                "Export the bundle again.",
            )
        return wanted

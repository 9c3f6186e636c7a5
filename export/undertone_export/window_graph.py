"""What a window bundle serves of trained networks: one graph, standard outputs, whatever the networks were asked for.

Identity heads go; classes of sex and emotion are summed into both; networks for each sex are weighed by a gender
head; voiceprints get unit length.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from undertone_export.graphs import write_graph
from undertone_models.windows.clips import Labels
from undertone_service.protocol.labels import EMOTIONS, GENDERS

ORDER = ("emotion", "gender", "age", "age_band", "voiceprint")


class Served(nn.Module):
    """One network: samples f32[B, N] -> its answers in the order of ``names``.

    ``emotions`` and ``age_bands`` are those that it answers, in the order of the words.
    """

    def __init__(self, network: nn.Module, labels: Labels) -> None:
        super().__init__()
        self.network = network
        self.window_samples: int = network.window_samples  # type: ignore[assignment]
        pairs = [name.split(" ", 1) for name in labels.sex_emotion]
        felt = {emotion for _, emotion in pairs}
        self.emotions = labels.emotion or tuple(name for name in EMOTIONS if name in felt)
        self.age_bands = labels.age_band
        self.by_emotion: Tensor
        self.by_gender: Tensor
        self.register_buffer("by_emotion", _sums([e for _, e in pairs], self.emotions), persistent=False)
        self.register_buffer("by_gender", _sums([s for s, _ in pairs], GENDERS), persistent=False)
        self.has_gender = bool(labels.gender or labels.sex_emotion)
        if labels.gender and labels.gender != GENDERS:
            raise ValueError(f"a network that knows {labels.gender} alone tells no gender")
        with torch.no_grad():
            self.names = tuple(self.answers(torch.zeros(1, self.window_samples)))

    def answers(self, samples: Tensor) -> dict[str, Tensor]:
        """Return what is served, by name and in order."""
        outputs = self.network(samples)
        found: dict[str, Tensor] = {}
        if "sex_emotion" in outputs:
            both = torch.softmax(outputs["sex_emotion"], dim=1)
            found["emotion"], found["gender"] = both @ self.by_emotion, both @ self.by_gender
        for name in ("emotion", "gender", "age_band"):
            if name in outputs:
                found[name] = torch.softmax(outputs[name], dim=1)
        if "age" in outputs:
            found["age"] = outputs["age"]
        if "voiceprint" in outputs:
            found["voiceprint"] = functional.normalize(outputs["voiceprint"], dim=1)
        # A band is what there is where years are not.
        return {
            name: found[name]
            for name in ORDER
            if name in found and not (name == "age_band" and "age" in found)
        }

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.answers(samples).values())


class BySex(nn.Module):
    """Networks for women and for men, weighed by a third that tells the sex; all hear windows of one length."""

    def __init__(self, female: Served, male: Served, gender: Served) -> None:
        super().__init__()
        if not female.names == male.names == ("emotion",) or female.emotions != male.emotions:
            raise ValueError("the networks for each sex answer different things")
        if "gender" not in gender.names:
            raise ValueError("the third network tells no gender")
        if not female.window_samples == male.window_samples:
            raise ValueError("the networks for each sex hear windows of different length")
        if gender.window_samples > female.window_samples:
            raise ValueError("the network that tells the sex hears a longer window than the others")
        self.female, self.male, self.gender = female, male, gender
        self.window_samples = female.window_samples
        self.emotions = female.emotions
        self.age_bands: tuple[str, ...] = ()
        self.names = ("emotion", "gender")

    def answers(self, samples: Tensor) -> dict[str, Tensor]:
        """Return what is served, by name and in order."""
        gender = self.gender.answers(samples[:, self.window_samples - self.gender.window_samples :])["gender"]
        emotion = gender[:, :1] * self.female.answers(samples)["emotion"]
        return {"emotion": emotion + gender[:, 1:] * self.male.answers(samples)["emotion"], "gender": gender}

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.answers(samples).values())


def write_window_graph(served: Served | BySex, file: Path) -> None:
    """Write the graph: samples f32[B, N] -> the outputs of ``names``; weights inside."""
    served.eval()
    example = torch.randn(2, served.window_samples) * 0.1
    write_graph(served, (example,), file, ["samples"], list(served.names))


def _sums(names: list[str], classes: tuple[str, ...]) -> Tensor:
    """Return f32[pairs, classes]: 1 where a pair counts as a class."""
    return torch.tensor([[float(name == one) for one in classes] for name in names]).reshape(
        len(names), len(classes)
    )

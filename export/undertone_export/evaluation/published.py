"""Published figures with ours beside them: one row for each figure that saved runs of recipes cover."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from pydantic import TypeAdapter

from undertone_export.evaluation.report import RecipeSection

_FILE = files("undertone_models") / "protocols" / "published_figures.toml"
_YEARS = ("age", "age_rmse")
_SPEAKERS = {"both": "all", "male": "men", "female": "women"}


@dataclass(frozen=True)
class Figure:
    """What a source reports, by the sex of the speakers (``both``, or ``male`` and ``female``).

    Shares are in per cent, ages in years; ``overrides`` are those of the recipe's command.
    """

    system: str
    what: str
    recipe: str
    protocol: str
    measure: str
    published: Mapping[str, float]
    overrides: tuple[str, ...] = ()
    spoken: str | None = None
    """The protocol that holds out speakers, beside one that draws at random."""
    target: float | None = None
    recall: Mapping[str, float] = field(default_factory=dict)
    """Of each class that the source reports, in per cent."""
    precision: Mapping[str, float] = field(default_factory=dict)
    """As ``recall``."""


def published_figures() -> list[Figure]:
    """Return all published figures that the data at hand allows."""
    known = tomllib.loads(_FILE.read_text(encoding="utf-8"))["figure"]
    return TypeAdapter(list[Figure]).validate_python(known)


def published_rows(sections: Sequence[RecipeSection]) -> list[dict[str, object]]:
    """Return a row for each figure that some of these runs measured again."""
    return list(_rows(sections))


def _rows(sections: Sequence[RecipeSection]) -> Iterator[dict[str, object]]:
    for figure in published_figures():
        for sex, value in figure.published.items():
            ours = _find(sections, figure, figure.protocol, sex)
            if ours is None or figure.measure not in ours.measures:
                continue
            apart = _find(sections, figure, figure.spoken, sex) if figure.spoken else None
            yield {
                "system": figure.system,
                "what": figure.what,
                "protocol": figure.protocol,
                "speakers": _SPEAKERS[sex],
                "measure": figure.measure + ("" if figure.measure in _YEARS else " %"),
                "published": value,
                "ours": _shown(ours, figure.measure),
                "target": figure.target,
                "outcome": _outcome(ours.measures[figure.measure], figure),
                "ours, speakers held out": _shown(apart, figure.measure) if apart else None,
            }


def run_rows(sections: Sequence[RecipeSection]) -> list[dict[str, object]]:
    """Return a row for each run: what it took, and its measures."""
    return [
        {
            "recipe": section.recipe,
            "set": ", ".join(section.overrides) or None,
            "protocol": section.protocol,
            "speakers": _SPEAKERS[section.sex or "both"],
            "rounds": section.rounds,
            "epochs": section.epochs,
            "seconds": section.seconds,
            "parameters": f"{section.parameters:,}",
            "MB": section.megabytes,
            **{
                name + ("" if name in _YEARS else " %"): _shown(section, name)
                for name in section.measures
                if not name.endswith("_loss")
            },
        }
        for section in sections
    ]


def compared_rows(sections: Sequence[RecipeSection]) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield a title and rows for each question that runs which differ in one setting answer together."""
    normalised = _split_by(sections, "cnn-blstm-attention", "settings.normalisation=")
    rows = [
        {"normalisation": value, **_shares(section)}
        for (_, value), section in normalised.items()
        if section.protocol == "split"
    ]
    if len(rows) > 1:
        yield "Three normalisations of system A, test split", rows
    alone = _split_by(sections, "vggvox-mtl", "tasks.speaker=")
    both = {
        section.protocol: section
        for section in sections
        if section.recipe == "vggvox-mtl" and not section.overrides
    }
    rows = [
        {
            "protocol": protocol,
            "seeds": section.rounds,
            "emotion alone, emotion %": _shown(section, "emotion"),
            "with identity, emotion %": _shown(both[protocol], "emotion"),
            "difference": round(100 * (both[protocol].measures["emotion"] - section.measures["emotion"]), 1),
            "alone, pairs %": _shown(section, "pairs"),
            "with identity, pairs %": _shown(both[protocol], "pairs"),
            "alone, EER %": _shown(section, "eer"),
            "with identity, EER %": _shown(both[protocol], "eer"),
        }
        for (protocol, _), section in alone.items()
        if protocol in both
    ]
    if rows:
        yield "VGGVox: emotion alone, and with identity as a second task", rows


def _split_by(
    sections: Sequence[RecipeSection], recipe: str, setting: str
) -> dict[tuple[str, str], RecipeSection]:
    """Return the runs of a recipe that set nothing but this, by protocol and value."""
    return {
        (section.protocol, section.overrides[0].removeprefix(setting)): section
        for section in sections
        if section.recipe == recipe
        and len(section.overrides) == 1
        and section.overrides[0].startswith(setting)
    }


def _shares(section: RecipeSection) -> dict[str, object]:
    return {
        f"{name} %": _shown(section, name)
        for name in section.measures
        if not name.endswith("_loss") and name not in _YEARS
    }


def rows_by_class(sections: Sequence[RecipeSection]) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Yield for each figure that is published by class a title, and a row for each class."""
    for figure in published_figures():
        ours = _find(sections, figure, figure.protocol, "both")
        if figure.recall and ours is not None:
            yield (
                f"{figure.what} ({figure.protocol}), by class",
                [_class_row(row, figure) for row in ours.classes],
            )


def _class_row(row: Mapping[str, object], figure: Figure) -> dict[str, object]:
    name = str(row["class"])
    found: dict[str, object] = {"class": name, "clips": row["clips"]}
    for measure, published in (("recall", figure.recall), ("precision", figure.precision)):
        if published:
            found[f"published {measure} %"] = published.get(name)
        found[f"{measure} %"] = row[f"{measure} %"]
    return found


def _find(
    sections: Sequence[RecipeSection], figure: Figure, protocol: str | None, sex: str
) -> RecipeSection | None:
    wanted = (figure.recipe, protocol, None if sex == "both" else sex, sorted(figure.overrides))
    for section in sections:
        if (section.recipe, section.protocol, section.sex, sorted(section.overrides)) == wanted:
            return section
    return None


def _shown(section: RecipeSection, measure: str) -> str | None:
    if measure not in section.measures:
        return None
    scale = 1.0 if measure in _YEARS else 100.0
    text = f"{scale * section.measures[measure]:.1f}"
    spread = section.deviations.get(measure)
    return text if spread is None else f"{text} ± {scale * spread:.1f}"


def _outcome(value: float, figure: Figure) -> str | None:
    if figure.target is None:
        return None
    missed = value - figure.target if figure.measure in _YEARS else figure.target - 100 * value
    return "reached" if missed <= 0 else f"missed by {missed:.1f}"

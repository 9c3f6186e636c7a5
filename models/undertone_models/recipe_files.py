"""Recipe files: TOML beside the code, with overrides, checked against a dataclass."""

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from undertone_service.protocol.errors import ErrorCode, UndertoneError

_FOLDER = files("undertone_models") / "recipes"
_T = TypeVar("_T")


def recipe_names() -> list[str]:
    """Return the names of all recipes."""
    return sorted(p.name.removesuffix(".toml") for p in _FOLDER.iterdir() if p.name.endswith(".toml"))


def recipe_values(name: str) -> dict[str, Any]:
    """Return what a recipe's file says.

    Raises:
        UndertoneError: ``bad_request`` for an unknown recipe.
    """
    path = _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"There is no recipe {name!r}.",
            f"Choose one of: {', '.join(recipe_names())}.",
        )
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_recipe(name: str, overrides: Sequence[str], kind: type[_T]) -> _T:
    """Read a recipe as ``kind`` and apply overrides such as ``sampling.batch=32``.

    Raises:
        UndertoneError: ``bad_request`` for an unknown recipe, name or value.
    """
    values = recipe_values(name)
    for override in overrides:
        _override(values, override)
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UndertoneError(
            ErrorCode.BAD_REQUEST,
            f"{where}: {first['msg']}.",
            f"See {kind.__name__} for the names and units.",
        ) from None


def _override(values: dict[str, Any], override: str) -> None:
    name, separator, text = override.partition("=")
    if not separator:
        raise UndertoneError(ErrorCode.BAD_REQUEST, f"{override!r} sets nothing.", "Write --set name=value.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *groups, last = name.strip().split(".")
    for group in groups:
        values = values.setdefault(group, {})
        if not isinstance(values, dict):
            raise UndertoneError(
                ErrorCode.BAD_REQUEST,
                f"{override!r}: {group} is no group of settings.",
                "Write --set name=value.",
            )
    values[last] = value

"""The import rule of the house: two leaves for everybody, and otherwise hardly anybody imports anybody."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOMES = {
    "undertone_service": ROOT / "service" / "undertone_service",
    "undertone_client": ROOT / "client" / "undertone_client",
    "undertone_models": ROOT / "models" / "undertone_models",
    "undertone_export": ROOT / "export" / "undertone_export",
}
LEAVES = ("undertone_service.protocol", "undertone_service.dsp")
ALLOWED = {
    "undertone_service": (),
    "undertone_client": LEAVES,
    "undertone_models": LEAVES,
    "undertone_export": ("undertone_models", "undertone_service"),
}
FORBIDDEN = {
    "undertone_service": ("torch", "torchaudio", "scipy", "onnx", "onnxscript"),
    "undertone_client": ("torch", "onnxruntime", "onnx", "fastapi", "starlette", "sqlalchemy", "scipy"),
    "undertone_models": ("onnxruntime", "fastapi", "sqlalchemy"),
    "undertone_export": ("fastapi", "sqlalchemy"),
}
# The microphone client has to run on the base install, which has neither.
FORBIDDEN["undertone_client"] += ("webrtcvad", "soxr")
LEAF_IMPORTS = {
    "protocol": ("pydantic", "undertone_service.protocol"),
    "dsp": ("numpy", "webrtcvad", "soxr", *LEAVES),
}


def imported(file: Path) -> Iterator[str]:
    """Yield the full names that a file imports: ``a.b`` for ``from a import b`` too."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def sources() -> list[tuple[str, Path]]:
    return [(package, file) for package, home in HOMES.items() for file in sorted(home.rglob("*.py"))]


def test_the_sources_are_found() -> None:
    assert all(sum(package == p for p, _ in sources()) > 5 for package in HOMES)


@pytest.mark.parametrize("package", HOMES)
def test_no_package_imports_what_is_not_its_to_import(package: str) -> None:
    faults = []
    for file in sorted(HOMES[package].rglob("*.py")):
        for name in imported(file):
            foreign = name.partition(".")[0] in HOMES and not within(name, (package,))
            if (foreign and not within(name, ALLOWED[package])) or within(name, FORBIDDEN[package]):
                faults.append(f"{file.relative_to(ROOT)}: {name}")
    assert not faults


@pytest.mark.parametrize("leaf", LEAF_IMPORTS)
def test_the_leaves_import_nothing_else(leaf: str) -> None:
    faults = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in sorted((HOMES["undertone_service"] / leaf).rglob("*.py"))
        for name in imported(file)
        if name.partition(".")[0] not in sys.stdlib_module_names and not within(name, LEAF_IMPORTS[leaf])
    ]
    assert not faults

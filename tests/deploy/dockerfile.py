"""Reads a Dockerfile, and carries out the steps of one of its targets in a folder instead of a container.

Absolute paths are those below the folder; ``FROM`` an image begins with nothing, and ``python`` is this one.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One instruction, its flags (``--from=...``), and what follows."""

    instruction: str
    flags: dict[str, str]
    rest: str


@dataclass
class Stage:
    """A stage: its parent (an image, or a stage before it) and its steps."""

    parent: str
    steps: list[Step] = field(default_factory=list)


def read(path: Path) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by their names."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    stages: dict[str, Stage] = {}
    current = None
    for text in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if not text.strip():
            continue
        instruction, _, rest = text.partition(" ")
        if instruction == "FROM":
            parent, _, name = rest.partition(" AS ")
            current = stages.setdefault(name, Stage(parent))
            continue
        flags = {}
        while found := re.match(r"\s*--([\w-]+)=?(\S*)\s+", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        assert current is not None
        current.steps.append(Step(instruction, flags, rest.strip()))
    return stages


def lineage(stages: dict[str, Stage], target: str) -> list[Step]:
    """Return the steps of a target, its parents' first."""
    stage = stages[target]
    return [*(lineage(stages, stage.parent) if stage.parent in stages else []), *stage.steps]


def ignored(path: Path, patterns: list[str]) -> bool:
    """Whether a path relative to the context is kept out; as Docker does, the last pattern that fits decides."""
    kept_out = False
    for pattern in patterns:
        wanted = pattern.lstrip("!")
        names = [str(path), *(str(parent) for parent in path.parents)]
        tails = [name for name in names if not wanted.startswith("**/")]
        tails += [part for part in path.parts if wanted.startswith("**/")]
        if any(fnmatch.fnmatch(name, wanted.removeprefix("**/")) for name in tails):
            kept_out = not pattern.startswith("!")
    return kept_out


class Builder:
    """Carries out targets below ``root``; ``context`` is what is copied from."""

    def __init__(self, dockerfile: Path, context: Path, root: Path) -> None:
        self.stages = read(dockerfile)
        self._context = context
        self._root = root
        lines = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
        self._patterns = [line for line in lines if line and not line.startswith("#")]

    def build(self, target: str) -> dict[str, str]:
        """Carry out a target; return the environment of its processes."""
        environment: dict[str, str] = {}
        folder = self._root / target
        folder.mkdir()
        work = folder
        for step in lineage(self.stages, target):
            if step.instruction == "WORKDIR":
                work = folder / step.rest.lstrip("/")
                work.mkdir(parents=True, exist_ok=True)
            elif step.instruction == "ENV":
                for name, value in re.findall(r"(\w+)=(\S+)", step.rest):
                    environment[name] = self.placed(value, folder)
            elif step.instruction == "COPY":
                self._copy(step, folder, work)
            elif step.instruction == "RUN":
                self._run(self.placed(step.rest, folder), work)
        return environment

    def placed(self, text: str, folder: Path) -> str:
        """Put absolute paths below a folder: ``/opt`` and ``/data`` are all that steps write to."""
        return re.sub(r"(?<![\w.])/(opt|data)\b", lambda found: str(folder / found[1]), text)

    def _copy(self, step: Step, folder: Path, work: Path) -> None:
        *sources, last = step.rest.split()
        target = folder / last.lstrip("/") if last.startswith("/") else work / last
        if "from" in step.flags:
            origin = self._root / step.flags["from"]
            if not origin.exists():
                self.build(step.flags["from"])
            # linked, for a virtual environment knows where it lies
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(origin / sources[0].lstrip("/"))
            return
        for source in sources:
            self._copy_from_context(Path(source), target / source if last == "./" else target)

    def _copy_from_context(self, source: Path, target: Path) -> None:
        files = [self._context / source]
        if files[0].is_dir():
            files = [path for path in sorted(files[0].rglob("*")) if path.is_file()]
        taken = [path for path in files if not ignored(path.relative_to(self._context), self._patterns)]
        assert taken, f".dockerignore keeps all of {source} out"
        for path in taken:
            place = target / path.relative_to(self._context / source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)

    def _run(self, command: str, work: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PATH": path}
        done = subprocess.run(
            ["/bin/sh", "-ec", command], cwd=work, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"RUN {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def command(step: Step) -> list[str]:
    """Return the words of a CMD or HEALTHCHECK in its JSON form."""
    words: list[str] = json.loads(step.rest[step.rest.index("[") :])
    return words

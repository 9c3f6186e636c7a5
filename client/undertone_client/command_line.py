"""The ``undertone`` command: finds its subcommands among the installed entry points.

Listing imports none of them: their help is read from the source. Only the chosen one is imported, so that
``undertone mic`` never waits for torch.
"""

import argparse
import ast
import os
import sys
from collections.abc import Container, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from undertone_client.problems import LocalError
from undertone_service.protocol.errors import UndertoneError

GROUP = "undertone.commands"
INTERRUPTED, REFUSED, MISUSED = 130, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status: 0 done, 1 refused, 2 misused, 130 interrupted."""
    words = sys.argv[1:] if argv is None else list(argv)
    commands = {
        spoken(entry): entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    }
    words = joined(words, commands)
    chosen = commands.get(words[0]) if words else None
    try:
        return _run(commands, chosen, words)
    except (UndertoneError, LocalError) as refused:
        return _complain(refused.problem, refused.remedy)
    except ModuleNotFoundError as missing:
        if chosen is None or not chosen.extras or (missing.name or "").startswith("undertone"):
            raise
        extra = ",".join(chosen.extras)
        problem = f"`undertone {spoken(chosen)}` needs the module {missing.name!r}, which is not installed."
        return _complain(problem, f"Install it with: pip install 'undertone[{extra}]'", MISUSED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED


def _run(commands: dict[str, EntryPoint], chosen: EntryPoint | None, words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="undertone",
        description="How a live voice sounds, who it might be, and whether it is who it claims.",
    )
    parser.add_argument("--version", action="version", version=f"undertone {version('undertone')}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, entry in commands.items():
        subparser = subparsers.add_parser(name, help=summary(entry))
        if entry is chosen:
            subparser.description = summary(entry)
            entry.load()(subparser)
    arguments = parser.parse_args(words)
    status: int = arguments.run(arguments)
    return status


def spoken(entry: EntryPoint) -> str:
    """Return a subcommand's name as it is typed: ``bench --engine`` where it is registered as ``bench--engine``."""
    return entry.name.replace("--", " --")


def joined(words: Sequence[str], names: Container[str]) -> list[str]:
    """Make one word of a subcommand and the flag that chooses a form of it, which may be another package's."""
    for place, word in enumerate(words[1:], 1):
        if f"{words[0]} {word}" in names:
            return [f"{words[0]} {word}", *words[1:place], *words[place + 1 :]]
    return list(words)


def summary(entry: EntryPoint) -> str:
    """Return the first docstring line of a subcommand's ``configure``, without importing it."""
    package, *rest = entry.module.split(".")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return ""
    source = Path(spec.submodule_search_locations[0], *rest).with_suffix(".py")
    if not source.exists():
        return ""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            text = ast.get_docstring(node) or ""
            return text.partition("\n")[0].replace("%", "%%")
    return ""


def _complain(problem: str, remedy: str, status: int = REFUSED) -> int:
    print(problem, remedy, sep="\n", file=sys.stderr)
    return status

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from undertone_client import command_line
from undertone_client.command_line import GROUP, main, summary

CLIENT_COMMANDS = {"mic", "replay", "enroll", "verify", "analyze", "bench"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a package with one subcommand, ``shout``."""

    def install(body: str, *, top: str = "", extra: str = "", name: str = "shout") -> None:
        (tmp_path / "shouting.py").write_text(
            f"{top}\ndef configure(parser):\n    '''Shout 100 % louder.\n\n    Really.'''\n"
            f"    parser.add_argument('--loud', action='store_true')\n    parser.set_defaults(run=run)\n"
            f"def run(arguments):\n    {body}\n"
        )
        folder = tmp_path / "shouting-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1\n")
        (folder / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = shouting:configure {extra}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "shouting", raising=False)

    return install


def test_a_subcommand_of_any_package_is_found_and_run(installed: Callable[..., None]) -> None:
    installed("return 7 if arguments.loud else 8")
    assert main(["shout", "--loud"]) == 7
    assert main(["shout"]) == 8


def test_a_flag_may_choose_a_form_that_another_package_has(
    installed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    installed("return 7 if arguments.loud else 8", name="mic--shout", extra="[server]")
    assert main(["mic", "--shout", "--loud"]) == 7
    assert main(["mic", "--loud", "--shout"]) == 7
    assert main(["mic", "--shout"]) == 8
    with pytest.raises(SystemExit):
        main(["mic", "--loud"])  # which is not the microphone's
    with pytest.raises(SystemExit):
        main(["mic", "--shout", "--help"])
    assert "usage: undertone mic --shout" in capsys.readouterr().out


@pytest.mark.parametrize("late", [True, False])
def test_a_missing_extra_is_named(
    installed: Callable[..., None], capsys: pytest.CaptureFixture[str], late: bool
) -> None:
    missing = "import no_such_module"
    installed(missing if late else "return 0", top="" if late else missing, extra="[server]")
    assert main(["shout"]) == 2
    problem, remedy = capsys.readouterr().err.splitlines()
    assert problem == "`undertone shout` needs the module 'no_such_module', which is not installed."
    assert remedy == "Install it with: pip install 'undertone[server]'"


@pytest.mark.parametrize(("module", "extra"), [("no_such_module", ""), ("undertone_nowhere", "[server]")])
def test_a_fault_of_our_own_is_not_blamed_on_an_extra(
    installed: Callable[..., None], module: str, extra: str
) -> None:
    installed(f"import {module}", extra=extra)
    with pytest.raises(ModuleNotFoundError):
        main(["shout"])


@pytest.mark.parametrize(
    "raised",
    [
        "from undertone_client import UndertoneError as E; raise E('bad_request', 'Wrong.', 'Right.')",
        "from undertone_client import ServerUnreachableError as E; raise E('Wrong.', 'Right.')",
    ],
)
def test_a_refusal_is_two_lines(
    installed: Callable[..., None], capsys: pytest.CaptureFixture[str], raised: str
) -> None:
    installed(raised)
    assert main(["shout"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Wrong.\nRight.\n")


def test_an_interrupt_ends_quietly(
    installed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    installed("raise KeyboardInterrupt")
    assert main(["shout"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_had_enough_is_no_fault() -> None:
    program = (
        "import sys\nfrom undertone_client import command_line\n"
        "command_line._run = lambda *given: [print('x' * 70, flush=True) for _ in range(100000)]\n"
        "sys.exit(command_line.main([]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    complaints = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert complaints == ""


def test_help_is_read_without_importing(
    installed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    installed("return 0", top="raise RuntimeError('imported')")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "Upload a recording" in printed
    assert "imported" not in printed


def test_every_subcommand_of_the_client_has_its_line() -> None:
    entries = {entry.name: entry for entry in entry_points(group=GROUP)}
    assert set(entries) >= CLIENT_COMMANDS
    assert all(summary(entries[name]).endswith(".") for name in CLIENT_COMMANDS)
    assert summary(EntryPoint("x", "undertone_client.nowhere:configure", GROUP)) == ""
    assert summary(EntryPoint("x", "no_such_package.x:configure", GROUP)) == ""


@pytest.mark.parametrize("words", [[], ["nope"], ["replay"], ["analyze", "a.wav", "--roles", "boss"]])
def test_misuse(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: undertone" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("undertone 0.")


def test_the_client_needs_nothing_of_the_server() -> None:
    modules = [
        f"undertone_client.{path.relative_to(folder).with_suffix('').as_posix().replace('/', '.')}"
        for folder in [Path(command_line.__file__).parent]
        for path in folder.rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert len(modules) >= 15
    heavy = ("torch", "onnxruntime", "fastapi", "webrtcvad", "soxr", "sqlalchemy", "scipy", "uvicorn")
    program = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"found = [name for name in {heavy!r} if name in sys.modules]\n"
        "ours = {name.split('.')[1] for name in sys.modules if name.startswith('undertone_service.')}\n"
        "assert not found, found\nassert ours <= {'protocol', 'dsp'}, ours\n"
        "assert not any(name.startswith(('undertone_models', 'undertone_export')) for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_light() -> None:
    program = (
        "import sys, undertone_client\n"
        "assert not {'numpy', 'httpx', 'websockets', 'pydantic', 'soundfile'} & set(sys.modules)\n"
        "for name in undertone_client.__all__: getattr(undertone_client, name)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

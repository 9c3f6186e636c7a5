"""The service as users run it: ``undertone serve`` in a process of its own."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = (
    sys.executable,
    "-c",
    "import sys; from undertone_client.command_line import main; sys.exit(main())",
)


@dataclass
class Served:
    """A running server, its address, and what it has written to standard output (its log)."""

    process: subprocess.Popen[str]
    url: str
    log: list[str]


@contextmanager
def served(bundle_folder: Path, data: Path, **settings: object) -> Iterator[Served]:
    """Run the service on a free port until the block ends; settings by their names."""
    given = {"bundle_dirs": bundle_folder, "default_bundle": "tiny", "data_dir": data, "port": 0, **settings}
    environment = os.environ | {f"UNDERTONE_{name.upper()}": str(value) for name, value in given.items()}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [*COMMAND, "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        log: list[str] = []
        threading.Thread(target=log.extend, args=(process.stdout,), daemon=True).start()
        try:
            told = []
            for line in process.stderr:
                told.append(line)
                if found := re.search(r"Listening on (\S+)", line):
                    break
            else:
                raise AssertionError(f"the server did not start: {told}")
            yield Served(process, found[1], log)
        finally:
            process.kill()

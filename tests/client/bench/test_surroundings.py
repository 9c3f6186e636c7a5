"""What a bench has around it: cores, processes, a server of its own, a plan for each process that makes load."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.tiny_bundle import NAME
from undertone_client.bench.cores import Cores, apart, pinned, together
from undertone_client.bench.load import Load, LoadKind
from undertone_client.bench.server import own_server, running_server
from undertone_client.bench.trial import Conditions, planned, ramp
from undertone_client.bench.usage import Usage
from undertone_client.problems import LocalError
from undertone_service.protocol.options import Encoding, StreamOptions

pinning = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")


@pinning
def test_the_server_and_the_load_have_cores_of_their_own() -> None:
    before = os.sched_getaffinity(0)
    cores = apart()
    assert cores.server is not None
    assert cores.load is not None
    assert cores.server | cores.load == before
    assert len(before) == 1 or not cores.server & cores.load
    with pinned(cores.server):
        assert os.sched_getaffinity(0) == cores.server
    assert os.sched_getaffinity(0) == before
    assert together().server is None


def test_what_processes_take_is_read() -> None:
    usage = Usage([psutil.Process()])
    before = usage.cpu()
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert usage.cpu() >= before + 0.03  # the system counts in hundredths
    assert usage.memory().rss > 1e6


def test_a_server_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = Usage.listening(port)
        assert found is not None
        assert psutil.Process() in found.processes
        with running_server(f"http://127.0.0.1:{port}") as target:
            assert target.usage is not None
        with running_server(f"http://192.0.2.1:{port}") as target:  # another machine's processes are not ours
            assert target.usage is None
    assert Usage.listening(port) is None


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(LocalError, match="There is no bundle 'nonesuch'"), own_server("nonesuch", None):
        pass


def test_children_are_counted_with_their_parent() -> None:
    alone = Usage([psutil.Process()]).memory().rss
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    assert Usage([psutil.Process()]).memory().rss > alone + 3e6
    child.communicate(b"\n")


def test_the_server_ends_with_a_bench_that_is_told_to_end(bundle_folder: Path) -> None:
    program = (
        "from undertone_client.bench.server import own_server\n"
        f"with own_server({NAME!r}, None) as target: print(target.url, flush=True); input()"
    )
    environment = os.environ | {"UNDERTONE_BUNDLE_DIRS": str(bundle_folder)}
    bench = subprocess.Popen([sys.executable, "-c", program], env=environment, stdin=-1, stdout=-1, stderr=-1)
    assert bench.stdout is not None
    url = bench.stdout.readline().decode().strip()
    assert Usage.listening(int(url.rpartition(":")[2])) is not None
    bench.terminate()
    bench.communicate()
    assert Usage.listening(int(url.rpartition(":")[2])) is None


@pytest.mark.parametrize("frame_ms", [20, 30])
def test_streams_are_shared_out_with_phases_of_their_own(frame_ms: int) -> None:
    options = StreamOptions(sample_rate=8000, encoding=Encoding.MULAW, hop=1.0, verify=("ann",))
    load = Load(np.zeros(300 * 1600, np.float32), np.ones(300, np.bool_))
    conditions = Conditions(load, LoadKind.DENSE, options, frame_ms, 10.0)
    plans = planned(conditions, 101, "http://127.0.0.1:1", Cores(None, None, 3))
    streams = [stream for plan in plans for stream in plan.streams]
    assert [len(plan.streams) for plan in plans] == [34, 34, 33]
    assert all(0 <= stream.opens <= ramp(101) and 0 <= stream.phase <= 1.0 for stream in streams)
    assert all(
        stream.offset * frame_ms % 100 == 0 and stream.offset * frame_ms < 30_000 for stream in streams
    )
    assert len({stream.phase for stream in streams}) == 101
    assert len({stream.offset for stream in streams}) > 30
    assert plans[0].address.startswith("ws://127.0.0.1:1/v1/stream?")
    assert "verify=ann" in plans[0].address
    assert plans[0].frame_bytes == 8 * frame_ms
    assert plans[0].measured[1] - plans[0].measured[0] == 10.0
    assert planned(conditions, 1, "http://127.0.0.1:1", Cores(None, None, 3))[0].streams != ()

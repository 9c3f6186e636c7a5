import subprocess
import sys

import numpy as np
import pytest

from undertone_client.audio.microphone import Microphone, describe_devices, load_sounddevice
from undertone_client.panel import level_db
from undertone_client.problems import MicrophoneUnavailableError


async def test_blocks_come_in_order_and_none_is_lost_unseen() -> None:
    heard = Microphone()
    for number in range(502):
        heard.put(bytes([number % 256]), overflowed=number == 3)
    assert heard.lost == 3  # one overflow of the device, two blocks that found the queue full
    assert [await anext(heard) for _ in range(3)] == [b"\0", b"\1", b"\2"]
    heard.discard()
    heard.put(b"new")
    assert await anext(heard) == b"new"


@pytest.fixture
def portaudio() -> None:
    try:
        load_sounddevice()
    except MicrophoneUnavailableError:
        pytest.skip("PortAudio is not installed")


@pytest.mark.usefixtures("portaudio")
async def test_a_device_that_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(MicrophoneUnavailableError, match=r"--device.*Found: ") as told:
        async with Microphone("no such device"):
            pytest.fail("opened")
    assert "no such device" in told.value.problem


def test_without_portaudio_the_message_says_what_to_install() -> None:
    program = (
        "import ctypes.util, sys\n"
        "from undertone_client.command_line import main\n"
        "ctypes.util.find_library = lambda name: None\n"
        "sys.exit(main(['mic', '--list-devices']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        pytest.skip("this sounddevice brings its own PortAudio")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "The PortAudio library was not found.\nInstall it: `apt install libportaudio2`"
    )


@pytest.mark.usefixtures("portaudio")
def test_devices_are_listed_or_their_absence_told() -> None:
    listed = describe_devices()
    assert listed.startswith("no input devices") or all(" in, " in line for line in listed.splitlines())


def test_level() -> None:
    assert level_db(np.full(320, 16384, np.int16).tobytes()) == pytest.approx(-6.02, abs=0.01)
    assert level_db(np.zeros(320, np.int16).tobytes()) == -120
    assert level_db(b"") == -120

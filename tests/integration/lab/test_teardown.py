"""A lab ends with whoever started it, however that ends, and leaves nothing."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

# Says where its share is, then waits to be killed. A shell that runs us in the background has SIGINT ignored.
HOLDER = """
import signal
import time
from lbaas.lab.controller import Lab
from lbaas.lab.topology import Topology
signal.signal(signal.SIGINT, signal.default_int_handler)
with Lab.start(Topology(nodes=1, backends=1)) as lab:
    print(lab.share, flush=True)
    time.sleep(300)
"""


def processes_that_mention(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        if text in command:
            found.append(command)
    return found


def becomes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_holder(number: signal.Signals) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        share = holder.stdout.readline().strip()
    assert processes_that_mention(share)

    holder.send_signal(number)
    holder.wait()

    assert becomes(lambda: not processes_that_mention(share))
    if number is signal.SIGINT:
        assert not Path(share).exists()
    else:  # nobody was left to remove the directory
        subprocess.run(["rm", "-r", share], check=True)


# Its group has a process that does not notice by itself that the holder is gone.
LEASH = """
import subprocess
import sys
import time
from lbaas.lab.lifeline import Lifeline
held = Lifeline(subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True).pid)
print("held", flush=True)
time.sleep(300)
"""


def test_a_group_of_processes_dies_with_the_holder_of_its_lifeline() -> None:
    some = f"300.{time.monotonic_ns()}"
    argv = [sys.executable, "-c", LEASH, some]
    holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
    assert len(processes_that_mention(some)) == 2

    holder.kill()
    holder.wait()

    assert becomes(lambda: not processes_that_mention(some))


def test_a_closed_lab_leaves_no_file() -> None:
    script = HOLDER.replace("time.sleep(300)", "pass")

    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True
    )

    assert not Path(done.stdout.strip()).exists()

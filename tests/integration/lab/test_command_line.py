"""``lbaas lab`` from another terminal, against a lab that someone holds."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lbaas.errors import LabError
from lbaas.lab.cli import app
from lbaas.lab.controller import Lab
from lbaas.lab.relay import Relay, connect, socket_path


@pytest.fixture
def relay(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    relay = Relay(lab.remote, lab.describe())
    yield relay
    relay.close()


def lbaas_lab(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.usefixtures("relay")
def test_status_shows_machines_processes_and_sessions() -> None:
    shown = lbaas_lab("status").stdout

    assert "10.0.10.12" in shown
    assert "bird" in shown
    assert "lb1_6" in shown


@pytest.mark.usefixtures("relay")
def test_exec_passes_output_and_exit_status_on() -> None:
    done = lbaas_lab("exec", "lb1", "--", "sh", "-c", "echo out; echo err >&2; exit 3")

    assert (done.stdout, done.stderr, done.exit_code) == ("out\n", "err\n", 3)


@pytest.mark.usefixtures("relay")
def test_cut_and_mend_reach_the_cable(lab: Lab) -> None:
    lbaas_lab("cut", "backend2")
    cut = lab.fetch("client1", "10.0.20.12", 80, timeout_s=0.5)
    lbaas_lab("mend", "backend2")
    mended = lab.fetch("client1", "10.0.20.12", 80)

    assert (cut.ok, mended.ok) == (False, True)


@pytest.mark.usefixtures("relay")
def test_kill_ends_the_named_process_only(lab: Lab) -> None:
    victim = lab.spawn("client1", ["sleep", "60"], name="victim")
    bystander = lab.spawn("client1", ["sleep", "60"], name="bystander")

    assert lbaas_lab("kill", "client1", "victim").exit_code == 0

    assert victim.wait() == -9
    assert bystander.alive
    bystander.kill()
    assert "no victim runs on client1" in str(lbaas_lab("kill", "client1", "victim").exception)


@pytest.mark.usefixtures("relay")
def test_capture_shows_what_passed(lab: Lab) -> None:
    visits = threading.Timer(0.5, lab.fetch, ("client1", "10.0.20.11", 80))
    visits.start()
    shown = lbaas_lab("capture", "backend1", "eth0", "--seconds", "1.5").stdout
    visits.join()

    assert "eth0 in  10.0.1.11 > 10.0.20.11" in shown
    assert "0 lost to a full buffer" in shown


def test_down_ends_the_wait_of_the_one_who_holds_the_lab(relay: Relay) -> None:
    assert not relay.ending.is_set()

    lbaas_lab("down")

    assert relay.ending.is_set()


def test_a_second_lab_of_the_same_user_is_refused(relay: Relay) -> None:
    with pytest.raises(LabError, match="you have a lab running already"):
        Relay(relay.remote, relay.description)


def test_a_socket_left_behind_by_a_killed_lab_is_no_obstacle(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(LabError, match="no lab is running"):
        connect()
    socket_path().touch()

    Relay(lab.remote, lab.describe()).close()

    assert not socket_path().exists()


def test_nobody_else_may_connect(relay: Relay) -> None:
    assert socket_path().stat().st_mode & 0o077 == 0
    assert relay.description.topology.nodes == 2

"""The control session, against a stand-in that speaks the protocol on a socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lbaas.dataplane.bird.control import BirdControl, BirdRefused, BirdUnavailable

GREETING = b"0001 BIRD 2.0.12 ready.\n"


@contextmanager
def bird_that_says(path: Path, answer: bytes, greeting: bytes = GREETING) -> Iterator[None]:
    """One session at *path*: *greeting*, then *answer* to the first line."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(1)

    def serve() -> None:
        session, _ = server.accept()
        with session:
            session.sendall(greeting)
            if session.recv(4096):
                session.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        server.close()


def test_an_answer_ends_at_the_line_with_a_blank_behind_its_number(tmp_path: Path) -> None:
    path = tmp_path / "ctl"
    answer = b"1007-Table master4:\n 198.51.100.1/32 blackhole\n+0000 log line\n0000 \n"
    with bird_that_says(path, answer), closing(BirdControl(path)) as bird:
        assert bird.command("show route") == ["Table master4:", "198.51.100.1/32 blackhole", ""]


def test_a_parse_error_is_refused_with_birds_words(tmp_path: Path) -> None:
    path = tmp_path / "ctl"
    with (
        bird_that_says(path, b"8002 bird.conf:3:1 syntax error\n"),
        closing(BirdControl(path)) as bird,
        pytest.raises(BirdRefused, match=r"bird\.conf:3:1 syntax error"),
    ):
        bird.command("configure")


def test_a_session_that_breaks_off_is_unavailable_but_running(tmp_path: Path) -> None:
    path = tmp_path / "ctl"
    with (
        bird_that_says(path, b"1007-half a tab"),
        closing(BirdControl(path)) as bird,
        pytest.raises(BirdUnavailable) as caught,
    ):
        bird.command("show route")
    assert caught.value.running


def test_no_socket_means_not_running(tmp_path: Path) -> None:
    with pytest.raises(BirdUnavailable) as caught:
        BirdControl(tmp_path / "ctl")
    assert not caught.value.running


def test_a_bird_that_hangs_is_running(tmp_path: Path) -> None:
    path = tmp_path / "ctl"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(1)
    with server, pytest.raises(BirdUnavailable) as caught:
        BirdControl(path, timeout_s=0.05)
    assert caught.value.running

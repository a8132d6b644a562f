"""The prober against servers of this machine's loopback."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Address

import pytest

from lbaas.domain.terms import ProbeKind, ProbeTarget
from lbaas.health import prober as module
from lbaas.health.checks import Check
from lbaas.health.prober import Prober, Watch
from lbaas.health.verdicts import presumed_fit, unproven
from lbaas.wire.state import HttpProbe, Monitor, UdpProbe

LOOPBACK = IPv4Address("127.0.0.1")


def watch(kind: ProbeKind, port: int, *, new: bool = True, **probe: object) -> Watch:
    monitor = Monitor.model_validate(
        {
            "kind": kind,
            "target": ProbeTarget.MEMBER,
            "port": port,
            "interval_ms": 100,
            "timeout_ms": 100,
            "rise": 1,
            "fall": 2,
            **probe,
        }
    )
    standing = unproven(0) if new else presumed_fit(0)
    return Watch(Check(monitor, LOOPBACK), standing)


@contextmanager
def probing(*watches: Watch) -> Iterator[list[Watch]]:
    """They are probed meanwhile; those whose verdict changed."""
    prober = Prober()
    changed: list[Watch] = []
    thread = threading.Thread(target=prober.run, args=(changed.append,))
    thread.start()
    prober.begin(watches)
    try:
        yield changed
    finally:
        prober.stop()
        thread.join()


def eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
        yield listener


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that answers every connection alike; its port."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(4096)
                    connection.sendall(answer)
                except ConnectionError:
                    continue

    with listening() as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def free_port() -> int:
    with listening() as listener:
        port: int = listener.getsockname()[1]
        return port


def _accept_forever(listener: socket.socket) -> None:
    """Raises TimeoutError once nobody comes any more."""
    while True:
        listener.accept()[0].close()


def test_a_connection_is_enough_for_tcp_and_nothing_of_it_is_left_open() -> None:
    with listening() as listener:
        one = watch(ProbeKind.TCP, listener.getsockname()[1])
        with probing(one) as changed:
            eventually(lambda: one.standing.fit)
            connection, _ = listener.accept()
            with connection, pytest.raises(ConnectionResetError):
                connection.recv(1)
        assert changed == [one]


def test_nobody_there_is_refused_and_coming_back_is_seen() -> None:
    port = free_port()
    one = watch(ProbeKind.TCP, port, new=False)
    with probing(one):
        eventually(lambda: not one.standing.fit)
        assert one.standing.cause == "refused"
        with closing(socket.create_server(("127.0.0.1", port))):
            eventually(lambda: one.standing.fit)


def test_a_web_server_is_judged_by_its_answer() -> None:
    with answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as port:
        wanting = watch(ProbeKind.HTTP, port)
        content = watch(ProbeKind.HTTP, port, http=HttpProbe(statuses=((503, 503),)))
        with probing(wanting, content):
            eventually(lambda: content.standing.fit)
            eventually(lambda: wanting.standing.cause)
    assert wanting.standing.cause == "status 503"


def test_who_does_not_speak_tls_fails_its_https_check() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        one = watch(ProbeKind.HTTPS, port)
        with probing(one):
            eventually(lambda: one.standing.cause)
    assert one.standing.cause.startswith("TLS: ")


def test_a_server_that_says_nothing_fails_when_its_time_is_over() -> None:
    with listening() as listener:
        one = watch(ProbeKind.HTTP, listener.getsockname()[1])
        with probing(one):
            eventually(lambda: one.standing.cause == "no answer in time")


def test_udp_needs_an_answer_and_an_unreachable_port_is_one_too() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        one = watch(ProbeKind.UDP, server.getsockname()[1], udp=UdpProbe(payload="70"))
        with probing(one):
            asked, who = server.recvfrom(16)
            server.sendto(b"q", who)
            eventually(lambda: one.standing.fit)
            assert asked == b"p"
            server.close()
            eventually(lambda: not one.standing.fit)
            assert one.standing.cause == "refused"


def test_a_node_that_has_no_socket_left_says_nothing_of_its_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = threading.Semaphore(0)

    class NoProbe:
        def __init__(self, *_: object) -> None:
            tried.release()
            raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(module, "Probe", NoProbe)
    one = watch(ProbeKind.TCP, free_port(), new=False)
    with probing(one) as changed:
        for _ in range(3):
            assert tried.acquire(timeout=20)
    assert one.standing.fit
    assert changed == []


def test_a_check_that_is_gone_is_probed_no_more() -> None:
    with listening() as listener:
        listener.settimeout(0.5)
        one = watch(ProbeKind.TCP, listener.getsockname()[1])
        with probing(one):
            eventually(lambda: one.standing.fit)
            one.gone = True
            with pytest.raises(TimeoutError):
                _accept_forever(listener)


def test_an_action_is_called_at_its_time() -> None:
    prober, called = Prober(), threading.Event()
    thread = threading.Thread(target=prober.run, args=(lambda _: None,))
    thread.start()
    at_s = time.monotonic() + 0.05
    prober.call_at(at_s, called.set)
    assert called.wait(timeout=20)
    assert time.monotonic() >= at_s
    prober.stop()
    thread.join()

"""When what was sent over the loopback has been received."""

import socket


def settle() -> None:
    """Every packet that this thread sent over the loopback before has been through the tables afterwards.

    The kernel may leave a processor's arrivals to a thread of its own; they keep their order, though, and a machine of
    the lab has one processor: a datagram that has come back comes behind all others.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.settimeout(60)
        echo.bind(("127.0.0.1", 0))
        echo.sendto(b"", echo.getsockname())
        echo.recv(1)

"""Network namespaces held by file descriptor: no name in the file system, nothing left behind.

A socket belongs for good to the namespace in which it was opened, and so does a process started there:
enter, open or start, leave.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h; the os module has these calls from Python 3.12 on

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One network namespace, alive as long as this object is open."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def at(cls, path: Path) -> "Namespace":
        """The one that *path* names: ``/proc/PID/ns/net``, or a file under ``/run/netns``. Raises OSError."""
        return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def current(cls) -> "Namespace":
        """The namespace of the calling thread."""
        return cls(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def new(cls) -> "Namespace":
        """A fresh namespace; the calling thread stays in its own."""
        home = cls.current()
        try:
            _checked(_libc.unshare(CLONE_NEWNET), "unshare")
            return cls.current()
        finally:
            home.enter()
            os.close(home.fd)

    def close(self) -> None:
        """We no longer keep it alive."""
        os.close(self.fd)

    def enter(self) -> None:
        """The calling thread, and what it opens or starts from now on, is in this namespace."""
        _checked(_libc.setns(self.fd, CLONE_NEWNET), "setns")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in this namespace meanwhile. Must not be held across an await."""
        home = Namespace.current()
        self.enter()
        try:
            yield
        finally:
            home.enter()
            os.close(home.fd)


def _checked(result: int, call: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")

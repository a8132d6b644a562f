"""A Postgres of the server's own: a child that lives exactly as long as the server.

Unix socket only, an unprivileged user when we are root, fsync on. The kernel ends it (PR_SET_PDEATHSIG)
when the server dies, however that dies. A lock that the child inherits is held until the last process of
it is gone, so a data directory has one user at a time.
"""

import asyncio
import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import asyncpg

from lbaas.errors import DatabaseUnusable
from lbaas.persistence.postgres_programs import PostgresPrograms, find_programs

PR_SET_PDEATHSIG = 1  # prctl(2)
FAST_SHUTDOWN = signal.SIGINT  # postgres(1): open transactions are aborted, the rest is written
SOCKET_NAME = "/.s.PGSQL.5432"
SOCKET_PATH_MAX = 107  # unix(7): sun_path less its closing zero
USER = "lbaas"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
LOCK_TIMEOUT_S = 5.0  # a server killed a moment ago leaves its Postgres shutting down

_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True)
class Account:
    """Whom Postgres runs as; None where we are not root and need not change."""

    uid: int | None
    gid: int | None
    name: str

    @property
    def extra_groups(self) -> list[int] | None:
        """None of root's; as they are where nothing changes."""
        return None if self.uid is None else []

    def own(self, directory: Path) -> None:
        """*directory*, which we have just made, is the account's."""
        if self.uid is not None and self.gid is not None:
            os.chown(directory, self.uid, self.gid)

    def may_enter(self, directory: Path) -> bool:
        """True if the account can reach what is inside *directory*."""
        mode = directory.stat()
        if self.uid is None or mode.st_uid == self.uid:
            return True
        return bool(mode.st_mode & (stat.S_IXGRP if mode.st_gid == self.gid else stat.S_IXOTH))


@asynccontextmanager
async def own_postgres(data_dir: Path) -> AsyncIterator[str]:
    """A running Postgres with its data in *data_dir*; yields its DSN; stopped at the end.

    The second start finds the first one's data. Raises DatabaseUnusable if another server has the
    directory or Postgres does not come up, and ToolMissing if it is not installed.
    """
    account = _account()
    _make_enterable(data_dir, account)
    with (data_dir / "postgres.lock").open("wb") as lock:
        await _acquire(lock, data_dir)
        cluster = data_dir / "postgres"
        programs = _prepare(cluster, account)
        _remove_stale_pid_file(cluster)
        sockets = _socket_directory(data_dir, account)
        child = _start(programs, cluster, sockets, account, lock)
        try:
            dsn = f"postgresql://{USER}@/postgres?host={quote(str(sockets), safe='')}"
            await _until_ready(dsn, child, data_dir / "postgres.log")
            yield dsn
        finally:
            await _stop(child)
            with suppress(OSError):
                sockets.rmdir()  # empty, unless Postgres was killed; then the next start finds it


def _account() -> Account:
    """Root may not run Postgres: its own user does if Debian's package made it, else nobody."""
    if os.geteuid() != 0:
        return Account(None, None, "")
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, name)
    raise DatabaseUnusable("no user to run Postgres as: neither postgres nor nobody exists")


def _make_enterable(data_dir: Path, account: Account) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    for directory in (data_dir, *data_dir.resolve().parents):
        if not account.may_enter(directory):
            raise DatabaseUnusable(
                f"user {account.name}, who runs Postgres for root, can't enter {directory}: "
                "set LBAAS_DATA_DIR to a directory that it can reach"
            )


async def _acquire(lock: BinaryIO, data_dir: Path) -> None:
    deadline = asyncio.get_running_loop().time() + LOCK_TIMEOUT_S
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if asyncio.get_running_loop().time() > deadline:
            raise DatabaseUnusable(
                f"another lbaas server uses {data_dir}: stop it, or set LBAAS_DATA_DIR to another directory"
            )
        await asyncio.sleep(0.1)


def _prepare(cluster: Path, account: Account) -> PostgresPrograms:
    """*cluster* is initialised. It appears under its name only when whole, so a kill leaves no half."""
    if (cluster / "PG_VERSION").exists():
        return find_programs(int((cluster / "PG_VERSION").read_text()))
    programs = find_programs()
    unfinished = cluster.with_name(cluster.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    answer = subprocess.run(
        [programs.initdb, "-D", unfinished, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=account.extra_groups,
    )
    if answer.returncode:
        raise DatabaseUnusable(f"initdb failed: {answer.stderr.strip() or answer.stdout.strip()}")
    unfinished.rename(cluster)
    return programs


def _remove_stale_pid_file(cluster: Path) -> None:
    """Postgres refuses to start if the file's process number now belongs to any process of its user.

    We hold the lock, so no Postgres of ours is alive; one that somebody started by hand stays safe.
    """
    pid_file = cluster / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(pid_file.read_text().splitlines()[0])
        if _program_name(pid) != "postgres":
            pid_file.unlink()


def _program_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _socket_directory(data_dir: Path, account: Account) -> Path:
    """A directory that only the account (and root) can enter; short enough for a socket's name."""
    directory = data_dir.resolve() / "run"
    if len(str(directory)) + len(SOCKET_NAME) > SOCKET_PATH_MAX:
        name = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:12]
        directory = Path(tempfile.gettempdir()) / f"lbaas-{name}"
    owner = os.geteuid() if account.uid is None else account.uid
    try:
        directory.mkdir(mode=0o700)
        account.own(directory)
    except FileExistsError:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
            raise DatabaseUnusable(f"{directory} is somebody else's: remove it") from None
    return directory


def _start(
    programs: PostgresPrograms, cluster: Path, sockets: Path, account: Account, lock: BinaryIO
) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "idle_in_transaction_session_timeout": "30s",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (cluster.parent / "postgres.log").open("ab") as log:
        return subprocess.Popen(
            [programs.postgres, "-D", cluster, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            pass_fds=(lock.fileno(),),
            start_new_session=True,  # Ctrl-C is for the server, which still has requests to answer
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - runs prctl only, before we start a thread
            user=account.uid,
            group=account.gid,
            extra_groups=account.extra_groups,
        )


def _die_with_parent() -> None:
    """In the child, after the change of user: the kernel forgets the wish when credentials change."""
    if _prctl(PR_SET_PDEATHSIG, int(FAST_SHUTDOWN), 0, 0, 0) != 0:
        os._exit(1)


async def _until_ready(dsn: str, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while True:
        if child.poll() is not None:
            raise DatabaseUnusable(f"Postgres ended at once; {log} says: {_tail(log)}")
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
        except (OSError, asyncpg.PostgresError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise DatabaseUnusable(f"Postgres does not answer: {error}") from error
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-3:])


async def _stop(child: subprocess.Popen[bytes]) -> None:
    """Postgres has written everything and is gone."""
    if child.poll() is None:
        child.send_signal(FAST_SHUTDOWN)
    deadline = asyncio.get_running_loop().time() + STOP_TIMEOUT_S
    while child.poll() is None:
        if asyncio.get_running_loop().time() > deadline:
            child.send_signal(signal.SIGQUIT)  # at once; it recovers from its log at the next start
        await asyncio.sleep(0.02)

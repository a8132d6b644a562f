"""A User-Mode Linux guest: a kernel of our own choice as an ordinary process, without root."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from lbaas.lab.kernel import Kernel

UPLINK = "vec0"
MEMORY = "768M"
TAIL = 3000

# What the data path and the lab itself need, in one modprobe: each start of a program is dear in there.
MODULES = (
    *("nf_tables", "nf_reject_ipv4", "nf_reject_ipv6", "nft_reject"),
    *("ip_vs", "ip_vs_mh", "ip_vs_sh", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc"),
    *("ipip", "ip6_tunnel", "fou", "fou6", "veth", "dummy", "bridge", "sch_netem"),
)

START = """\
export HOME=/tmp LANG=C.UTF-8
{load}{command} >{log} 2>&1
echo "lab guest: the fabric ended with status $?"
echo o >/proc/sysrq-trigger
sleep 9
"""
START_MODULES = """\
modprobe -a {modules} || echo "lab guest: not every module loaded"
insmod {rebuilt}/nft_reject_inet.ko || echo "lab guest: no nft_reject_inet"
"""


@dataclass
class Guest:
    """One running guest. Closing it, or the end of the thread that started it, ends it at once."""

    process: subprocess.Popen[bytes]
    share: Path
    console: IO[bytes]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """No process of the guest is left."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.console.close()

    def last_words(self) -> str:
        """The end of the kernel's log and of the fabric's."""
        logs = (self.share / "kernel.log", self.share / "fabric.log")
        return "\n".join(f"{log.name}: {_tail(log)}" for log in logs if log.exists())


def boot(kernel: Kernel, share: Path, wire: socket.socket, command: Sequence[str]) -> Guest:
    """A guest boots with *wire* as its network card; *command* will be its only program."""
    init = share / "init"
    with resources.as_file(resources.files("lbaas.lab") / "guest_init.sh") as source:
        shutil.copy(source, init)
    init.chmod(0o755)
    (share / "start").write_text(_start_script(kernel, share, command))
    console = (share / "kernel.log").open("wb")
    process = subprocess.Popen(
        # The guest must not outlive us even if we are killed; exec keeps the signal that setpriv asks for.
        ["setpriv", "--pdeathsig", "KILL", *_kernel_command(kernel, share, wire, console)],
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=console,
        pass_fds=(console.fileno(), wire.fileno()),
        start_new_session=True,
        # the guest's memory is a file there: on a disk it would be written back again and again
        env={"PATH": os.environ["PATH"], "TMPDIR": "/dev/shm", "HOME": str(share)},
    )
    return Guest(process, share, console)


def _kernel_command(
    kernel: Kernel, share: Path, wire: socket.socket, console: IO[bytes]
) -> list[str]:
    return [
        str(kernel.binary),
        f"mem={MEMORY}",
        *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
        *("con=null", "ssl=null", f"con0=null,fd:{console.fileno()}"),
        *("panic=-1", "noreboot", "random.trust_cpu=on"),
        f"uml_dir={share}/",
        f"{UPLINK}:transport=fd,fd={wire.fileno()},depth=128,gro=1",
        f"init={share}/init",
        f"LAB_SHARE={share}",
        f"LAB_MODULES={kernel.modules or ''}",
    ]


def _start_script(kernel: Kernel, share: Path, command: Sequence[str]) -> str:
    load = ""
    if kernel.modules:
        load = START_MODULES.format(modules=" ".join(MODULES), rebuilt=kernel.modules)
    return START.format(load=load, command=shlex.join(command), log=share / "fabric.log")


def _tail(log: Path) -> str:
    return log.read_bytes()[-TAIL:].decode(errors="replace")

"""A User-Mode Linux guest: a kernel of our own choice as an ordinary process, without root."""

import shlex
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from lbaas.lab.kernel.cache import Kernel

UPLINK = "vec0"
MEMORY_MB = 768

START = """\
export HOME=/tmp LANG=C.UTF-8
{load}{command} >{log} 2>&1
echo "lab guest: the fabric ended with status $?"
echo o >/proc/sysrq-trigger
sleep 9
"""
# One modprobe for all: each start of a program is dear in a guest.
LOAD = """\
modprobe -a {modules} || echo "lab guest: not every module loaded"
insmod {rebuilt}/nft_reject_inet.ko || echo "lab guest: no nft_reject_inet"
"""


def prepare(
    kernel: Kernel,
    share: Path,
    wire: int,
    command: Sequence[str],
    modules: Sequence[str],
    memory_mb: int = MEMORY_MB,
) -> list[str]:
    """The command line of a guest whose only program will be *command*.

    *share* then holds what its init needs; *wire* is an open packet socket, its network card.
    """
    init = share / "init"
    with resources.as_file(resources.files("lbaas.lab") / "guest_init.sh") as source:
        shutil.copy(source, init)
    init.chmod(0o755)
    (share / "start").write_text(_start_script(kernel, share, command, modules))
    return [
        str(kernel.binary),
        f"mem={memory_mb}M",
        *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
        *("con=null", "ssl=null", "con0=null,fd:1"),  # the kernel's log is what it writes to stdout
        *("panic=-1", "noreboot", "random.trust_cpu=on"),
        f"uml_dir={share}/",
        f"{UPLINK}:transport=fd,fd={wire},depth=128,gro=1",
        f"init={init}",
        f"LAB_SHARE={share}",
        f"LAB_MODULES={kernel.modules or ''}",
    ]


def _start_script(
    kernel: Kernel, share: Path, command: Sequence[str], modules: Sequence[str]
) -> str:
    load = ""
    if kernel.modules:
        rebuilt = shlex.quote(str(kernel.modules))
        load = LOAD.format(modules=" ".join(modules), rebuilt=rebuilt)
    return START.format(load=load, command=shlex.join(command), log=share / "fabric.log")

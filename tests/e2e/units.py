"""A unit of ``deploy/systemd``, run by systemd itself, in namespaces of its own on a machine of the lab."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lbaas.lab.handles import Process
from lbaas.lab.site import Site

UNITS = Path(__file__).parents[2] / "deploy/systemd"
SYSTEMD = "/lib/systemd/systemd"

# What systemd finds at its start. The machine's directory of the lab stands where the unit has its RuntimeDirectory and
# StateDirectory: BIRD reads there what the agent writes, and the lab's own agent afterwards finds its state.
BOOT = """\
unit=$1 own=$2 units=$3 systemd=$4
state=/var/lib/lbaas/${unit#lbaas-}
mount --make-rprivate / && mount -n -t proc proc /proc &&
    mount -n -t tmpfs tmpfs /mnt && mkdir /mnt/lbaas && mount -n --bind "$own" /mnt/lbaas &&
    mount -n --move /mnt /run &&
    mount -n -t tmpfs tmpfs /var/lib && mkdir -p "$state" "$own/state" &&
    mount -n --bind "$own/state" "$state" &&
    { ! mountpoint -q /sys/fs/cgroup || umount -n -l /sys/fs/cgroup; } &&
    mount -n -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
export container=lab SYSTEMD_UNIT_PATH="$units"
exec "$systemd" --system --log-target=console --unit="$unit.service" </dev/null
"""

# Where the lab differs from a machine: it has no BIRD and no network that are units, no journal, and not much time.
# This checkout and its Python may be where the unit hides homes and /tmp: writable they are not, like all else.
INSTEAD = """
[Unit]
DefaultDependencies=no
After=
Wants=
[Service]
ProtectHome=no
PrivateTmp=no
TimeoutStartSec=300
WatchdogSec=10
StandardOutput=append:{log}
StandardError=append:{log}
"""


@dataclass(frozen=True)
class Unit:
    """*log* is what its program writes, and what runs before it."""

    site: Site
    machine: str
    name: str
    systemd: Process
    log: Path

    @classmethod
    def start(cls, site: Site, machine: str, name: str, environment: Mapping[str, str]) -> "Unit":
        """systemd starts on *machine*, and starts *name* in *environment*."""
        directory = site.lab.share / f"{machine}-{name}"
        directory.mkdir()
        log = directory / "log"
        lines = [f"{variable}={value}\n" for variable, value in environment.items()]
        (directory / "environment").write_text("".join(lines))
        there = UNITS / f"{name}.service"
        text = there.read_text() + INSTEAD.format(log=log)
        settings_file = f"/etc/lbaas/{name.removeprefix('lbaas-')}.env"
        text = text.replace(settings_file, str(directory / "environment"))
        text = text.replace("/opt/lbaas/bin", str(Path(sys.executable).parent))
        (directory / there.name).write_text(text)
        own = str(site.lab.directory(machine))
        apart = ["unshare", "--mount", "--pid", "--cgroup", "--ipc", "--fork", "--kill-child"]
        argv = [*apart, "sh", "-c", BOOT, "sh", name, own, str(directory), SYSTEMD]
        return cls(site, machine, name, site.lab.spawn(machine, argv, name=name), log)

    @property
    def shown(self) -> dict[str, str]:
        """What systemd says of it; nothing before systemd itself has started."""
        lines = self._inside("systemctl", "show", f"{self.name}.service").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    @property
    def process(self) -> dict[str, str]:
        """What the kernel says of its program, as in ``/proc/PID/status``."""
        lines = self._inside("cat", f"/proc/{self.shown['MainPID']}/status").splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def stop(self) -> None:
        """``systemctl stop`` has ended it."""
        self._inside("systemctl", "stop", f"{self.name}.service")

    def hang(self) -> None:
        """Its program does nothing any more, and is there still."""
        self._inside("kill", "-STOP", self.shown["MainPID"])

    def end(self) -> None:
        """systemd is gone, and with it all that it has started."""
        self.systemd.kill()
        self.systemd.wait()

    def _inside(self, *argv: str) -> str:
        """What *argv* says in the namespaces of systemd, which is the child of what was spawned."""
        children = f"/proc/{self.systemd.pid}/task/{self.systemd.pid}/children"
        first = self.site.lab.run(self.machine, ["cat", children]).stdout.strip()
        enter = ["nsenter", f"--target={first}", "--mount", "--pid"]
        return self.site.lab.run(self.machine, [*enter, *argv]).stdout

"""Faults, done to a site and mended again."""

import signal
from collections.abc import Callable

from lbaas.dataplane.link.netlink import ROUTE_PROTOCOL
from lbaas.lab.site import Site
from lbaas.lab.topology import DATA, MANAGEMENT, Role
from tests.chaos.moves import SERVER, Fault, Strike

# A foreign service, which nobody of ours may touch, and no fault of ours strikes.
FOREIGN_MARK = 7

_A_SERVICE_OF_OURS = f"ipvsadm -Sn | grep -- '^-A' | grep -v -- '-f {FOREIGN_MARK} ' | head -1"

Mend = Callable[[], None]


class Storm:
    """Which faults stand. *away* are the machines whose kernel nobody can ask at the moment."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._standing: dict[str, tuple[Strike, Mend]] = {}

    @property
    def away(self) -> frozenset[str]:
        """Nodes without power."""
        return frozenset(
            name for name, (strike, _) in self._standing.items() if strike.fault is Fault.KILL_NODE
        )

    @property
    def server_is_up(self) -> bool:
        """False while a fault of the server stands."""
        return SERVER not in self._standing

    def strike(self, strike: Strike) -> None:
        """The fault stands. What stood there before was mended."""
        self.mend(strike.machine)
        self._standing[strike.machine] = strike, self._begin(strike.fault, strike.machine)

    def pass_by(self) -> None:
        """One more move has been made: faults that have lasted long enough are mended."""
        for name, (strike, mend) in tuple(self._standing.items()):
            if strike.lasts == 0:
                self.mend(name)
            else:
                shorter = Strike(strike.fault, strike.machine, strike.lasts - 1)
                self._standing[name] = shorter, mend

    def mend(self, machine: str) -> None:
        """No fault of *machine* stands."""
        if machine in self._standing:
            self._standing.pop(machine)[1]()

    def clear(self) -> None:
        """No fault stands."""
        for machine in tuple(self._standing):
            self.mend(machine)

    def _begin(self, fault: Fault, machine: str) -> Mend:
        site, lab = self._site, self._site.lab
        match fault:
            case Fault.KILL_AGENT:
                site.agents[machine].kill(signal.SIGKILL)
                site.agents[machine].wait()
                return lambda: _done(site.start_agent(machine))
            case Fault.FREEZE_AGENT:
                site.agents[machine].kill(signal.SIGSTOP)
                return lambda: site.agents[machine].kill(signal.SIGCONT)
            case Fault.CUT_MANAGEMENT:
                lab.link(machine, MANAGEMENT, up=False)
                return lambda: lab.link(machine, MANAGEMENT, up=True)
            case Fault.LOSE_PACKETS:
                lab.loss(machine, DATA, 100)
                return lambda: lab.loss(machine, DATA, 0)
            case Fault.KILL_NODE:
                site.kill_node(machine)
                return lambda: site.revive_node(machine)
            case Fault.HANG_BIRD:
                lab.birds[machine].kill(signal.SIGSTOP)
                return lambda: lab.birds[machine].kill(signal.SIGCONT)
            case Fault.STOP_SERVER | Fault.KILL_SERVER:
                site.server.stop(_ENDS_BY[fault])
                return self._start_server
            case _:
                return self._spoil(fault, machine)

    def _spoil(self, fault: Fault, machine: str) -> Mend:
        do, undo = _SCRIPTS[fault]
        table = "lbaas" if machine in self._nodes else "lbaas_host"
        state = self._site.lab.directory(machine) / "state"
        names = {"table": table, "state": state, "service": _A_SERVICE_OF_OURS}
        self._run(machine, do.format(**names))
        return lambda: self._run(machine, undo.format(**names))

    @property
    def _nodes(self) -> frozenset[str]:
        return frozenset(each.name for each in self._site.lab.topology.of(Role.NODE))

    def _run(self, machine: str, script: str) -> None:
        self._site.lab.run(machine, ["sh", "-c", script])

    def _start_server(self) -> None:
        self._site.server.start()
        self._site.server.wait_ready()


_ENDS_BY = {Fault.STOP_SERVER: signal.SIGTERM, Fault.KILL_SERVER: signal.SIGKILL}

# What a shell does, and what mends it. Where nothing does, the agent must.
_SCRIPTS = {
    Fault.FLUSH_TABLE: ("nft flush table inet {table}", "true"),
    Fault.DELETE_SERVICE: ("set -- $({service}); ipvsadm -D -f $3", "true"),
    Fault.FORGET_ADDRESSES: (
        f"for f in 4 6; do ip -$f route flush table local proto {ROUTE_PROTOCOL}; done",
        "true",
    ),
    Fault.JUMP_CLOCK: ('date -s "$(date -d "+1 day")"', 'date -s "$(date -d "-1 day")"'),
    # The agent's files are still there: beneath, and out of its reach.
    Fault.FILL_DISK: (
        "mount -t tmpfs -o size=4k full {state} && dd if=/dev/zero of={state}/full bs=4k",
        "umount {state}",
    ),
}


def _done(_: object) -> None:
    """Nobody asks what became of it."""

"""One round on the machine that pods are on: their replies get out."""

import socket
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from operator import itemgetter

from lbaas.agent.rounds import Round, Subsystem, begin
from lbaas.dataplane.link.netlink import LOOPBACK, LinkSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.passage import apply as passage_apply
from lbaas.dataplane.passage import observe as passage_observe
from lbaas.dataplane.passage.desired import (
    ALL,
    Way,
    declaration,
    opened,
    settings_of,
    shut_by_all,
)
from lbaas.dataplane.passage.plan import PassageStep
from lbaas.dataplane.passage.plan import plan as plan_passage
from lbaas.dataplane.steps import Plan
from lbaas.dataplane.sysctl import apply as sysctl_apply
from lbaas.dataplane.sysctl import observe as sysctl_observe
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.dataplane.sysctl.plan import plan as plan_sysctl
from lbaas.domain.addresses import Address
from lbaas.errors import StepFailed


class Passage:
    """The machine's own part, with sockets opened when first needed and then kept."""

    def __init__(self) -> None:
        self._expected: dict[str, str] = {}

    @cached_property
    def _nft(self) -> Nft:
        return Nft()

    @cached_property
    def _link(self) -> LinkSocket:
        return LinkSocket()

    def reconcile(self, vips: Collection[Address], pods: Collection[Address]) -> Round:
        """Replies from *vips* by the pods at *pods* pass. No VIP, and there is nothing of ours."""
        round_ = begin(self._subsystems(vips, pods))
        round_.establish()
        round_.withdraw()
        return round_

    def _subsystems(
        self, vips: Collection[Address], pods: Collection[Address]
    ) -> Sequence[Subsystem]:
        return (
            Subsystem("sysctl", lambda: self._plan_sysctls(vips, pods), sysctl_apply.apply),
            Subsystem(
                "passage",
                lambda: self._plan_table(vips),
                lambda steps: passage_apply.apply(self._nft, steps),
            ),
        )

    def _plan_sysctls(self, vips: Iterable[Address], pods: Iterable[Address]) -> Plan[SetSysctl]:
        ways = self._ways(vips, pods)
        observed = sysctl_observe.observe(settings_of(ways))
        if shut := shut_by_all(ways, observed):
            cause = (
                f"drops what pods answer on {', '.join(shut)}: set it to 0, devices keep their own"
            )
            raise StepFailed("passage", "observe", ALL, cause)
        return plan_sysctl(observed, opened(ways, observed))

    def _ways(self, vips: Iterable[Address], pods: Iterable[Address]) -> list[Way]:
        towards = self._indices_towards(pods)
        of_node = LOOPBACK in self._indices_towards(vips)
        addressed = {held.index for held in self._link.held() if held.address.version == 4}
        return [
            Way(name, index in addressed, of_node)
            for index, name in sorted(socket.if_nameindex(), key=itemgetter(1))
            if index in towards
        ]

    def _indices_towards(self, addresses: Iterable[Address]) -> set[int | None]:
        """Of IPv4 alone: no setting of another family lets replies in, or keeps them out."""
        return {self._link.index_towards(each) for each in addresses if each.version == 4}

    def _plan_table(self, vips: Collection[Address]) -> Plan[PassageStep]:
        wanted = declaration(vips)
        if vips and wanted not in self._expected:
            self._expected = {wanted: passage_observe.expected(self._nft, wanted)}
        expected = self._expected[wanted] if vips else None
        return plan_passage(passage_observe.observe(self._nft), expected, wanted)

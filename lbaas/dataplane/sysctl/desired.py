"""The kernel settings that the data path needs, each with its reason."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

# Dotted below /proc/sys, with "/" for a dot inside a name, as sysctl(8) has it.
SysctlTable: TypeAlias = dict[str, str]

# Each was tried both ways where a figure is given.
NODE: Mapping[str, str] = {
    # A flow whose node died reaches another in its middle. With 0 every such flow is reset (12 of 12).
    "net.ipv4.vs.sloppy_tcp": "1",
    # On only while a destination is removed (lbaas.dataplane.ipvs.files). With 1 two backends answer a connection
    # that began just before one drained, if its first packet had to be repeated, and it is reset.
    "net.ipv4.vs.expire_nodest_conn": "0",
    # ICMP "fragmentation needed" must follow its flow: with 0, 3 of 10 downloads behind a small MTU finish.
    "net.ipv4.vs.schedule_icmp": "1",
    # A reused source port is scheduled anew instead of following a connection that ended. Replies do not pass here,
    # so the last that is seen of one is the client's FIN: that takes the second bit.
    "net.ipv4.vs.conn_reuse_mode": "3",
    # Persistence must not send clients to a backend at weight 0.
    "net.ipv4.vs.expire_quiescent_template": "1",
}


# A backend host's, in force before it holds a VIP. The kernel takes the larger of ``all`` and a device's own
# value for these, and for rp_filter (Documentation/networking/ip-sysctl.rst).
HOST: Mapping[str, str] = {
    # With 0 the host answers ARP for the VIP on any device, and draws its traffic past the balancer.
    "net.ipv4.conf.all.arp_ignore": "1",
    # Never name the VIP as sender in an ARP request: the router would learn it from that.
    "net.ipv4.conf.all.arp_announce": "2",
}


def tunnel_sysctls(devices: Iterable[str]) -> SysctlTable:
    """What the devices need at which IPv4 packets leave the tunnel; others keep what they have.

    Strict rp_filter (1) drops every packet, since the client is not reached through the tunnel: 2 is loose,
    and lets packets in as long as the device has an address.
    """
    return {f"net.ipv4.conf.{device}.rp_filter": "2" for device in devices}

"""Whether a rule matches a packet, as far as its text tells."""

from ipaddress import ip_address

import pytest

from lbaas.explain.packets import NEW, Packet, matches

SYN = Packet("a SYN", ip_address("192.0.2.7"), ip_address("198.51.100.7"), 6, NEW, 4, 40000, 80)
SIX = Packet("a SYN", ip_address("2001:db8::7"), ip_address("2001:db8:1::7"), 6, NEW, 6, 40000, 80)
IPIP = Packet("IP in IP", None, ip_address("10.0.20.11"), 4, NEW, 4)


@pytest.mark.parametrize(
    ("packet", "rule", "met"),
    [
        (SYN, "drop", True),
        (SYN, "counter packets 3 bytes 180 drop", True),
        (SYN, 'log prefix "no: " drop comment "mine"', True),
        (SYN, "ip saddr 192.0.2.7 drop", True),
        (SYN, "ip saddr != 192.0.2.0/24 drop", False),
        (SYN, "ip saddr { 10.0.0.0/8, 192.0.2.1-192.0.2.9 } drop", True),
        (SYN, "ip6 saddr ::/0 drop", False),
        (SIX, "ip6 daddr 2001:db8:1::/48 drop", True),
        (SIX, "ip protocol 6 drop", False),
        (SYN, "ip protocol tcp drop", True),
        (SYN, "meta l4proto { 6, 17 } drop", True),
        (SYN, "meta nfproto 10 drop", False),
        (SYN, "tcp dport 80 drop", True),
        (SYN, "tcp dport 1-79 drop", False),
        (SYN, "th sport 40000 drop", True),
        (SYN, "udp dport 80 drop", False),
        (SYN, "ct state 0x8 accept", True),
        (SYN, "ct state established,related accept", False),
        (SYN, "ct state new,untracked accept", True),
        (SYN, 'iifname "lo" accept', False),
        (SYN, 'iifname != "lo" drop', True),
        (SYN, 'iifname "eth0" drop', None),
        (SYN, "tcp dport 80 limit rate 3/second drop", None),
        (SYN, "tcp dport 22 limit rate 3/second drop", False),
        (SYN, "ip saddr @blocked drop", None),
        (SYN, "tcp dport http drop", None),
        (IPIP, "ip protocol 4 drop", True),
        (IPIP, "ip saddr 10.0.10.11 drop", None),
        (IPIP, "tcp dport 80 drop", False),
    ],
)
def test_a_rule_matches_a_packet(packet: Packet, rule: str, *, met: bool | None) -> None:
    assert matches(rule, packet) is met

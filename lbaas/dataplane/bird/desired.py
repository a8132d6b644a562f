"""What BIRD must announce, to whom, and the include file that says so."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_network
from itertools import islice

from lbaas.dataplane.turns import by_turns
from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import NodeAdminState
from lbaas.errors import BadState
from lbaas.wire.state import ClusterState, NodeSettings, Peer

# Protocols of these names are ours. BIRD calls a table's route by the protocol that made it.
STATIC_PROTOCOLS = {4: "lbaas_vips4", 6: "lbaas_vips6"}

HEADER = "# Owned by the lbaas node agent: it writes this file anew at every change.\n"

# BIRD tells by this constant which text it runs with.
TEXT = "lbaas_text"


@dataclass(frozen=True)
class Announcement:
    """The whole of what this node tells its routers. They know it by its *addresses*."""

    as_number: int
    peers: tuple[Peer, ...]
    prefixes: frozenset[Prefix]
    communities: Mapping[Prefix, tuple[str, ...]] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()

    @cached_property
    def text(self) -> str:
        """The include file that says so. Raises as ``render``."""
        return render(self)


def announcement(
    state: ClusterState, node: NodeSettings, prefixes: Mapping[Prefix, tuple[str, ...]]
) -> Announcement:
    """An active node announces *prefixes* with their communities, any other nothing; sessions stay up."""
    active = node.admin_state is NodeAdminState.ACTIVE
    return Announcement(
        state.as_number,
        state.peers,
        frozenset(prefixes if active else ()),
        {prefix: each for prefix, each in prefixes.items() if each and active},
        node.addresses,
    )


def render(wanted: Announcement) -> str:
    """The include file. Equal announcements give equal text.

    Raises BadState for a peer's password that BIRD's syntax can't hold.
    Source: BIRD 2.0 User's Guide, chapters 3 and 6 (BFD, BGP, Static).
    """
    parts = []
    if any(peer.bfd for peer in wanted.peers):
        parts.append(_BFD)
    for family in (4, 6):
        prefixes = [each for each in by_turns(wanted.prefixes) if each.version == family]
        prefixes.sort(key=lambda each: int(each.network_address))
        parts.append(_static(family, prefixes, wanted.communities))
    parts += [_bgp(wanted, peer) for peer in wanted.peers]
    body = "\n".join(parts)
    return f'{HEADER}define {TEXT} = "{_digest(body)}"{_BODY}{body}'


# Where the name of the text ends, and the text that it names begins.
_BODY = ";\n\n"


def identity(text: str) -> str:
    """What TEXT is in a BIRD that runs with *text*, and with no other that ``render`` made.

    BIRD takes it from the file as it is: in a copy that somebody changed it is the same.
    """
    return _digest(text.partition(_BODY)[2])


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


# As ``_static`` writes them.
_ROUTE = re.compile(r"^    route (\S+) blackhole", re.MULTILINE)


def declared(text: str, first: int = 0, most: int | None = None) -> Iterator[Prefix]:
    """The prefixes that a rendered *text* announces: IPv4's, then IPv6's, each family by address.

    At *most* so many are given, from the one with the number *first* on.
    """
    last = None if most is None else first + most
    found = islice(_ROUTE.finditer(text), first, last)
    return (ip_network(each[1]) for each in by_turns(found))


def declared_count(text: str) -> int:
    """How many they are."""
    return text.count("\n    route ")


# 300 ms x 3: a silent loss is seen in under a second. 100 ms flaps on a loaded machine.
_BFD = """\
protocol bfd lbaas_bfd {
    interface "*" { min rx interval 300 ms; min tx interval 300 ms; idle tx interval 500 ms; multiplier 3; };
    multihop { min rx interval 300 ms; min tx interval 300 ms; multiplier 3; };
}
"""

# BIRD's own timers leave a peer alone for up to 90 s after an error.
_TIMERS = """\
    connect delay time 1;
    connect retry time 2;
    error wait time 1, 3;
    error forget time 10;
    hold time 9;
    keepalive time 3;
"""


def _static(
    family: int, prefixes: list[Prefix], communities: Mapping[Prefix, tuple[str, ...]]
) -> str:
    routes = "".join(
        f"    route {prefix} blackhole{_attributes(communities.get(prefix, ()))};\n"
        for prefix in by_turns(prefixes)
    )
    return f"protocol static {STATIC_PROTOCOLS[family]} {{\n    ipv{family};\n{routes}}}\n"


def _attributes(communities: tuple[str, ...]) -> str:
    """Filter commands that give a route its communities. One that BGP has no room for is left out."""
    added = [added for each in communities if (added := _community(each))]
    return f" {{ {' '.join(added)} }}" if added else ""


def _community(text: str) -> str:
    """Two numbers of 16 bits (RFC 1997) or three of 32 (RFC 8092)."""
    numbers = [int(number) for number in text.split(":")]
    name, largest = _COMMUNITIES[len(numbers)]
    if max(numbers) > largest:
        return ""
    return f"{name}.add(({', '.join(map(str, numbers))}));"


_COMMUNITIES = {2: ("bgp_community", 0xFFFF), 3: ("bgp_large_community", 0xFFFFFFFF)}


def _bgp(wanted: Announcement, peer: Peer) -> str:
    family = peer.address.version
    # A router of the segment is spoken to from the address on that segment.
    known = [each for each in wanted.addresses if peer.multihop and each.version == family]
    own = f"{known[0]} " if known else ""
    lines = [
        f"    local {own}as {wanted.as_number};\n",
        f"    neighbor {peer.address} as {peer.as_number};\n",
    ]
    if peer.multihop:
        lines.append("    multihop;\n")
    if peer.password is not None:
        lines.append(f'    password "{_quotable(peer)}";\n')
    # BIRD refuses the whole file where it does not know from which address to send BFD so far.
    if peer.bfd and (known or not peer.multihop):
        lines.append("    bfd on;\n")
    if peer.graceful_restart:
        lines.append("    graceful restart on;\n")
    channel = f'import none; export where proto = "{STATIC_PROTOCOLS[family]}";'
    return (
        f"protocol bgp {peer_protocol(peer.address)} {{\n"
        + "".join(lines)
        + _TIMERS
        + f"    ipv{family} {{ {channel} }};\n}}\n"
    )


def peer_protocol(address: Address) -> str:
    """The BGP protocol's name: as unlike as the addresses are, and made of what BIRD takes in a name."""
    return "lbaas_peer_" + str(address).replace(".", "_").replace(":", "_")


def _quotable(peer: Peer) -> str:
    password = peer.password or ""
    if not password.isprintable() or '"' in password:
        raise BadState(f"peer {peer.name}: the password holds a quote or an unprintable character")
    return password

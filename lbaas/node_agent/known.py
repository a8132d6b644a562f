"""Whose rules, devices and marks are on a machine: software that often shares one with a node. Pure."""

import re
from collections.abc import Collection, Iterable

# By software, what its tables are called or say. Sources: pkg/proxy of kubernetes, pkg/controllers of kube-router,
# felix/rules of Calico, pkg/datapath/iptables of Cilium.
_TABLES = {
    # KUBE-FORWARD drops what tracking finds invalid; KUBE-MARK-MASQ sets bit 0x4000.
    "kube-proxy": re.compile(r"\bKUBE-(?!ROUTER)[A-Z]|\bip6? kube-proxy\b"),
    # Marks are hashes of what it serves by DSR, whatever anybody else's marks are.
    "kube-router": re.compile(r"\bKUBE-ROUTER-|\bkube-router-"),
    # Works on the bits of its mark mask, 0xffff0000 by default, in every packet that it sees.
    "Calico": re.compile(r"\bcali-|\bcali[46]0|\bip6? calico\b"),
    # Marks 0x200 and 0xa00 in 0xf00 say that a proxy of its own has seen the packet.
    "Cilium": re.compile(r"\bCILIUM_|\bcilium_"),
}

# A device that is there as long as the software is.
_DEVICES = {
    "kube-ipvs0": "kube-proxy in ipvs mode",  # holds all addresses of Services, so they are local
    "kube-dummy-if": "kube-router",  # the same
    "cali0": "Calico",
    "vxlan.calico": "Calico",
    "cilium_host": "Cilium",
}

# Those that keep services in IPVS: they delete what they do not know when they are told to clean up.
_IN_IPVS = ("kube-proxy in ipvs mode", "kube-router")

# Mark and mask of rules that are always the same.
_RULES = {
    (0x200, 0xF00): "Cilium",  # to its proxy
    (0xA00, 0xF00): "Cilium",  # from its proxy
    (0xB00, 0xF00): "Cilium",  # the same, at the egress of a pod
}


def of_table(name: str, text: str) -> tuple[str, ...]:
    """Who has rules in the nftables table *name*, like ``ip filter``, that lists as *text*."""
    return tuple(who for who, shape in _TABLES.items() if shape.search(f"{name}\n{text}"))


def of_devices(names: Iterable[str]) -> tuple[str, ...]:
    """Who has a device among *names*, each once."""
    return tuple(dict.fromkeys(_DEVICES[each] for each in sorted(names) if each in _DEVICES))


def of_rule(mark: int, mask: int) -> tuple[str, ...]:
    """Whose a routing rule for *mark* under *mask* is."""
    return (_RULES[mark, mask],) if (mark, mask) in _RULES else ()


def of_services(software: Collection[str]) -> tuple[str, ...]:
    """Those of *software* that have services in IPVS."""
    return tuple(each for each in _IN_IPVS if each in software)


def named(owners: Collection[str]) -> str:
    """In brackets, for a sentence; nothing of nobody."""
    return f" ({', '.join(owners)})" if owners else ""

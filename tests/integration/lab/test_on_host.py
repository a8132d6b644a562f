"""The lab in namespaces of a kernel that has the data path, as root: a guest is such a machine."""

import os
import sys

from lbaas.lab.controller import Lab
from lbaas.lab.topology import FABRIC

INNER = """
from lbaas.lab.controller import Lab
from lbaas.lab.machine import place
from lbaas.lab.topology import Topology
with Lab.start(Topology(nodes=1, backends=1)) as lab:
    lab.web("backend1", 80)
    add = "ipvsadm -A -f 7 -s mh && ipvsadm -a -f 7 -r 10.0.20.11 -i"
    mark = "add table inet probe { chain c { type filter hook prerouting priority -150; } ; }"
    print(
        place().value,
        lab.fetch("client1", "fd00:20::11", 80).backend,
        lab.run("lb1", ["sh", "-c", add]).status,
        lab.run("lb1", ["nft", mark]).status,
        lab.birds["router"].alive,
    )
"""


def test_root_on_such_a_kernel_needs_no_guest_and_leaves_nothing(lab: Lab) -> None:
    before = lab.run(FABRIC, ["ip", "-br", "link"]).stdout

    path = {"PATH": os.environ["PATH"]}
    done = lab.run(FABRIC, [sys.executable, "-c", INNER], timeout_s=90, env=path)

    assert (done.stderr, done.stdout) == ("", "host backend1 0 0 True\n")
    assert lab.run(FABRIC, ["ip", "-br", "link"]).stdout == before
    left = lab.run(FABRIC, ["sh", "-c", "grep -lz '^--namespace-fd$' /proc/[0-9]*/cmdline"])
    assert left.stdout == ""

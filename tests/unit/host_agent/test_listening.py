"""Whether a program takes a flow, by the kernel's lists of sockets."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from lbaas.domain.terms import Protocol
from lbaas.host_agent.listening import listening
from lbaas.wire.explanation import FiveTuple

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
ANY4, VIP4, OTHER4 = "00000000", "076433C6", "086433C6"
ANY6, MAPPED = "0" * 32, "0000000000000000FFFF0000" + VIP4


def flow(port: int = 80, protocol: Protocol = Protocol.TCP) -> FiveTuple:
    client, vip = ip_address("192.0.2.7"), ip_address("198.51.100.7")
    return FiveTuple(client=client, vip=vip, port=port, protocol=protocol)


@pytest.mark.parametrize(
    ("file", "local", "state", "takes"),
    [
        ("tcp", f"{ANY4}:0050", "0A", True),
        ("tcp", f"{VIP4}:0050", "0A", True),
        ("tcp", f"{OTHER4}:0050", "0A", False),
        ("tcp", f"{ANY4}:0051", "0A", False),
        ("tcp", f"{VIP4}:0050", "01", False),
        ("tcp6", f"{ANY6}:0050", "0A", True),
        ("tcp6", f"{MAPPED}:0050", "0A", True),
        ("udp", f"{ANY4}:0050", "07", False),
    ],
)
def test_a_flow_is_taken_by_what_listens_for_it(
    tmp_path: Path, file: str, local: str, state: str, *, takes: bool
) -> None:
    (tmp_path / file).write_text(f"{HEAD}   0: {local} 00000000:0000 {state} 0:0 0:0\n")
    assert listening(flow(), tmp_path) is takes


def test_a_datagram_is_taken_by_an_unconnected_socket(tmp_path: Path) -> None:
    (tmp_path / "udp").write_text(f"{HEAD}   0: {ANY4}:0035 00000000:0000 07 0:0 0:0\n")
    assert listening(flow(53, Protocol.UDP), tmp_path)

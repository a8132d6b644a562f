import json

import pytest
from pydantic import ValidationError

from lbaas.lab.messages import Layer, Packet
from lbaas.lab.requests import REQUESTS, Build, Fetch, Request, Run, decode_request, encode_request
from lbaas.lab.topology import Topology


@pytest.mark.parametrize(
    "request_",
    [
        Build(topology=Topology(nodes=5, bfd_interval_ms=100)),
        Run(namespace="lb1", argv=("ip", "-br", "address"), timeout_s=3),
        Fetch(namespace="client1", address="2001:db8:100::1", port=80, source_port=4444),
    ],
)
def test_a_request_arrives_as_it_was_sent(request_: Request[object]) -> None:  # type: ignore[type-var]
    assert decode_request(encode_request(7, request_)) == (7, request_)


def test_one_request_is_one_line() -> None:
    line = encode_request(1, Run(namespace="lb1", argv=("printf", "a\nb"), timeout_s=1))

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def kinds_below(kind: type) -> set[type]:
    children: list[type] = kind.__subclasses__()
    return {kind}.union(*(kinds_below(child) for child in children))


def test_every_request_that_has_an_answer_can_be_decoded() -> None:
    answered = {kind for kind in kinds_below(Request) if hasattr(kind, "answer")}

    assert answered == set(REQUESTS.values())
    assert Run in answered


def test_a_field_that_the_other_end_does_not_know_is_an_error() -> None:
    line = json.dumps({"id": 1, "do": "ReadClock", "with": {"zone": "UTC"}}).encode()

    with pytest.raises(ValidationError, match="zone"):
        decode_request(line)


def test_a_tunnelled_packet_has_an_outer_and_an_inner_layer() -> None:
    outer = Layer(source="10.0.10.11", destination="10.0.20.11", protocol=4)
    inner = Layer(source="10.0.1.11", destination="198.51.100.1", protocol=6)
    packet = Packet(at_s=0, interface="eth0", direction="in", length=80, layers=(outer, inner))

    assert packet.tunnelled
    assert (packet.outer, packet.inner) == (outer, inner)

"""UDP, DNS and ICMP."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.health.conversations.conversation import LISTENING
from lbaas.health.conversations.datagrams import Dns, Echo, Udp
from lbaas.health.verdicts import Result
from lbaas.wire.state import DnsProbe, UdpProbe

FIT = Result(passed=True)


def test_any_answer_will_do_where_none_is_named() -> None:
    assert Udp(UdpProbe()).hear(b"whatever").result == FIT
    assert Udp(UdpProbe()).open() == b""


def test_an_answer_must_begin_as_named() -> None:
    probe = UdpProbe(payload="70696e67", response="706f")
    assert Udp(probe).open() == b"ping"
    assert Udp(probe).hear(b"pong").result == FIT
    assert Udp(probe).hear(b"no").result == Result(passed=False, cause="answered 6e6f")


def test_a_dns_question_is_asked() -> None:
    assert Dns(DnsProbe(name="example.org", record_type="AAAA"), 7).open() == (
        b"\0\7\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\x1c\0\1"
    )


@pytest.mark.parametrize(
    ("flags", "result"),
    [(0x8180, FIT), (0x8183, Result(passed=False, cause="DNS error code 3"))],
)
def test_a_dns_answer_without_error_will_do(flags: int, result: Result) -> None:
    answer = struct.pack("!HHHHHH", 7, flags, 1, 0, 0, 0)
    assert Dns(DnsProbe(name="."), 7).hear(answer).result == result


def test_somebody_elses_dns_answer_is_not_heard() -> None:
    talk = Dns(DnsProbe(name="."), 7)
    assert talk.hear(struct.pack("!HHHHHH", 8, 0x8180, 1, 0, 0, 0)) == LISTENING
    assert talk.hear(struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0)) == LISTENING


def test_an_echo_request_has_a_right_checksum() -> None:
    request = Echo(4, 0xBEEF).open()
    padded = request + b"\0" * (len(request) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    assert (total >> 16) + (total & 0xFFFF) == 0xFFFF


def test_only_the_reply_to_this_very_echo_is_heard() -> None:
    def reply(identifier: int, kind: int = 0) -> bytes:
        return b"\x45" + b"\0" * 19 + struct.pack("!BBHHH", kind, 0, 0, identifier, 1)

    talk = Echo(4, 5)
    assert talk.hear(reply(6)) == LISTENING
    assert talk.hear(reply(5, kind=8)) == LISTENING
    assert talk.hear(reply(5)).result == FIT
    assert Echo(6, 5).hear(struct.pack("!BBHHH", 129, 0, 0, 5, 1)).result == FIT


@given(st.binary(max_size=64))
def test_no_datagram_raises(said: bytes) -> None:
    for talk in (Udp(UdpProbe(response="00")), Dns(DnsProbe(name="a"), 1), Echo(4, 1), Echo(6, 1)):
        talk.open()
        talk.hear(said)

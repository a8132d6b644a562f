"""Answers of web servers, whole and in pieces."""

from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.health.conversations.conversation import Reply
from lbaas.health.conversations.http import LONGEST_ANSWER, Http
from lbaas.health.verdicts import Result
from lbaas.wire.state import HttpProbe

ADDRESS = IPv4Address("198.51.100.1")
OK = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nall is well"


def heard(probe: HttpProbe, *pieces: bytes) -> Result | None:
    talk = Http(probe, ADDRESS, 80)
    reply = Reply()
    for piece in pieces:
        reply = talk.hear(piece)
        if reply.result is not None:
            break
    return reply.result


def cause(probe: HttpProbe, *pieces: bytes) -> str:
    result = heard(probe, *pieces)
    assert result is not None
    return result.cause


def test_the_request_is_what_the_monitor_says() -> None:
    probe = HttpProbe(method="HEAD", path="/ready?x=1", host="shop.example")
    assert Http(probe, ADDRESS, 80).open() == (
        b"HEAD /ready?x=1 HTTP/1.1\r\nHost: shop.example\r\n"
        b"User-Agent: lbaas\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )


def test_without_a_host_the_address_is_asked_for() -> None:
    opened = Http(HttpProbe(), IPv6Address("2001:db8::1"), 8080).open()
    assert b"Host: [2001:db8::1]:8080\r\n" in opened


def test_the_status_line_decides_and_the_rest_is_not_waited_for() -> None:
    assert heard(HttpProbe(), b"HTTP/1.1 200 O") is None
    assert heard(HttpProbe(), b"HTTP/1.1 204 No Content\r\n") == Result(passed=True)


def test_a_status_that_is_not_wanted_fails() -> None:
    probe = HttpProbe(statuses=((200, 204), (301, 301)))
    assert heard(probe, b"HTTP/1.1 301 Moved\r\n") == Result(passed=True)
    assert cause(probe, b"HTTP/1.1 302 Found\r\n") == "status 302"


def test_wanted_words_are_looked_for_in_the_body_only() -> None:
    assert heard(HttpProbe(body_contains="well"), OK) == Result(passed=True)
    missing = cause(HttpProbe(body_contains="Server"), OK, b"")
    assert missing == "the body does not contain 'Server'"


def test_an_answer_without_end_fails() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    assert "does not contain" in cause(HttpProbe(body_contains="x"), head, b" " * LONGEST_ANSWER)
    assert cause(HttpProbe(), b"x" * 2000) == "no HTTP answer"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP answer"),
        (b"HTTP/1.1 OK\r\n", "no HTTP answer"),
        (b"HTTP/1.1 2\xb20 OK\r\n", "no HTTP answer"),
    ],
)
def test_what_is_no_http_fails(said: bytes, why: str) -> None:
    assert cause(HttpProbe(), said, b"") == why


@given(st.lists(st.integers(0, len(OK)), max_size=6), st.sampled_from(["well", "ill", None]))
def test_in_pieces_it_means_the_same(cuts: list[int], words: str | None) -> None:
    ends = [0, *sorted(set(cuts) - {0, len(OK)}), len(OK)]
    pieces = [OK[first:last] for first, last in pairwise(ends)]
    probe = HttpProbe(body_contains=words)
    assert heard(probe, *pieces, b"") == heard(probe, OK, b"")


@given(st.lists(st.binary(min_size=1), max_size=5))
def test_no_answer_raises(pieces: list[bytes]) -> None:
    assert heard(HttpProbe(body_contains="x"), *pieces, b"") is not None

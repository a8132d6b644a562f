"""How long a VIP stays on a host."""

from ipaddress import IPv4Address

from lbaas.host_agent.lingering import LINGER_S, Lingering

A, B = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")


def test_what_is_wanted_is_held_in_order() -> None:
    assert Lingering().held([B, A], now_s=0) == (A, B)


def test_what_was_wanted_lingers_and_then_goes() -> None:
    lingering = Lingering()
    lingering.held([A, B], now_s=100)
    assert lingering.held([A], now_s=100 + LINGER_S - 0.1) == (A, B)
    assert lingering.pending
    assert lingering.held([A], now_s=100 + LINGER_S) == (A,)
    assert not lingering.pending


def test_what_is_wanted_again_starts_anew() -> None:
    lingering = Lingering()
    lingering.held([A], now_s=0)
    lingering.held([], now_s=5)
    lingering.held([A], now_s=8)
    assert lingering.held([], now_s=8 + LINGER_S - 0.1) == (A,)

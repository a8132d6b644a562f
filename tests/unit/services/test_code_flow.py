"""What a browser keeps of a sign-in, and what the server keeps of its end."""

from lbaas.services.code_flow import Grant, Pending


def test_a_pending_sign_in_comes_back_from_its_cookie_and_nothing_else_does() -> None:
    pending = Pending("/portal/vips?labels=a")
    assert Pending.parse(pending.text()) == pending
    for text in ("", "a", "e30", "bm90IGpzb24", "W10", "\x00", "é"):
        assert Pending.parse(text) is None


def test_two_sign_ins_share_nothing() -> None:
    first, second = Pending("/"), Pending("/")
    assert {first.state, first.nonce, first.verifier}.isdisjoint(
        {second.state, second.nonce, second.verifier}
    )


def test_the_challenge_is_that_of_the_rfc() -> None:
    known = Pending("/", verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert known.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_grant_is_kept_as_text_and_a_token_by_itself_is_one_without_renewal() -> None:
    grant = Grant("a.b.c", "again")
    assert Grant.parse(grant.text()) == grant
    assert Grant.parse("lbaas_token") == Grant("lbaas_token", None)
